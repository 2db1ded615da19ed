package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

// transport carries frames both ways.
type transport interface {
	send(ctx context.Context, frame *dynamicpb.Message) error
	// receive returns io.EOF at the end of a stream.
	receive(ctx context.Context) (*dynamicpb.Message, error)
	// end closes the ordinary way.
	end() error
	// subprotocol is what the gateway answered.
	subprotocol() string
}

func dial(ctx context.Context, kind, address string, s *schema) (transport, error) {
	switch kind {
	case "json", "proto":
		// One subprotocol, no Origin.
		offer := "messageloop+" + kind
		conn, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{
			Subprotocols:    []string{offer},
			CompressionMode: websocket.CompressionDisabled,
		})
		if err != nil {
			return nil, err
		}
		conn.SetReadLimit(16 << 20)
		return &socket{conn, s, kind == "json"}, nil
	case "grpc":
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{
			StreamName:    "MessageLoop",
			ServerStreams: true,
			ClientStreams: true,
		}, "/messageloop.v1.MessagingService/MessageLoop")
		if err != nil {
			return nil, err
		}
		return &rpcStream{conn, stream, s}, nil
	}
	return nil, fmt.Errorf("no transport %q", kind)
}

type socket struct {
	conn   *websocket.Conn
	schema *schema
	json   bool
}

func (t *socket) send(ctx context.Context, frame *dynamicpb.Message) error {
	if t.json {
		bytes, err := protojson.Marshal(frame)
		if err != nil {
			return err
		}
		return t.conn.Write(ctx, websocket.MessageText, bytes)
	}
	bytes, err := proto.Marshal(frame)
	if err != nil {
		return err
	}
	return t.conn.Write(ctx, websocket.MessageBinary, bytes)
}

func (t *socket) receive(ctx context.Context) (*dynamicpb.Message, error) {
	kind, bytes, err := t.conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	message := dynamicpb.NewMessage(t.schema.outbound)
	if t.json {
		if kind != websocket.MessageText {
			return nil, errors.New("JSON came in a binary frame")
		}
		// Unknown keys are refused.
		return message, protojson.Unmarshal(bytes, message)
	}
	if kind != websocket.MessageBinary {
		return nil, errors.New("protobuf came in a text frame")
	}
	if err := proto.Unmarshal(bytes, message); err != nil {
		return nil, err
	}
	return message, refuseUnknown(message)
}

func (t *socket) end() error {
	return t.conn.Close(websocket.StatusNormalClosure, "")
}

func (t *socket) subprotocol() string { return t.conn.Subprotocol() }

type rpcStream struct {
	conn   *grpc.ClientConn
	stream grpc.ClientStream
	schema *schema
}

func (t *rpcStream) send(_ context.Context, frame *dynamicpb.Message) error {
	return t.stream.SendMsg(frame)
}

func (t *rpcStream) receive(context.Context) (*dynamicpb.Message, error) {
	message := dynamicpb.NewMessage(t.schema.outbound)
	if err := t.stream.RecvMsg(message); err != nil {
		return nil, err
	}
	return message, refuseUnknown(message)
}

func (t *rpcStream) end() error { return t.stream.CloseSend() }

func (t *rpcStream) subprotocol() string { return "" }

var _ = io.EOF
