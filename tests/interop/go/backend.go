package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// runBackend serves ProxyService until it is told to end, and writes a line for each call.
func runBackend(s *schema) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	description := grpc.ServiceDesc{
		ServiceName: string(s.proxy.FullName()),
		HandlerType: (*any)(nil),
	}
	var mutex sync.Mutex
	for i := range s.proxy.Methods().Len() {
		method := s.proxy.Methods().Get(i)
		description.Methods = append(description.Methods, grpc.MethodDesc{
			MethodName: string(method.Name()),
			Handler: func(
				_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
			) (any, error) {
				request := dynamicpb.NewMessage(method.Input())
				if err := decode(request); err != nil {
					return nil, err
				}
				given, _ := metadata.FromIncomingContext(ctx)
				mutex.Lock()
				err := emit(map[string]any{
					"call":    string(method.Name()),
					"hook":    given.Get("x-messageloop-hook"),
					"session": len(given.Get("x-messageloop-session-id")) == 1,
					"client":  given.Get("x-messageloop-client-id"),
					"user":    given.Get("x-messageloop-user-id"),
				})
				mutex.Unlock()
				if err != nil {
					return nil, err
				}
				return answer(method, request)
			},
		})
	}
	server.RegisterService(&description, struct{}{})
	go func() {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
		<-signals
		server.Stop()
	}()
	if err := emit(map[string]any{"listening": listener.Addr().String()}); err != nil {
		return err
	}
	return server.Serve(listener)
}

func answer(method protoreflect.MethodDescriptor, request *dynamicpb.Message) (any, error) {
	text := func(name protoreflect.Name) string {
		return request.Get(request.Descriptor().Fields().ByName(name)).String()
	}
	switch method.Name() {
	case "Authenticate":
		if text("password") != "letmein" {
			return parse(method.Output(), `{"error":{"code":"BAD_TOKEN","type":"auth_error","message":"who are you"}}`)
		}
		return parse(method.Output(), fmt.Sprintf(`{"userInfo":{"id":%q,"username":"Go"}}`, "user-"+text("username")))
	case "SubscribeAcl":
		if text("channel") == "secret" {
			return nil, status.Error(codes.PermissionDenied, "not for you")
		}
	case "RPC":
		if text("method") == "fail" {
			return parse(method.Output(), `{"error":{"code":"NO","type":"mine","message":"no"}}`)
		}
		payload := request.Get(request.Descriptor().Fields().ByName("payload")).Message()
		bytes, err := protojson.Marshal(payload.Interface())
		if err != nil {
			return nil, err
		}
		return parse(method.Output(), fmt.Sprintf(`{"id":%q,"payload":%s}`, text("id"), bytes))
	}
	return dynamicpb.NewMessage(method.Output()), nil
}
