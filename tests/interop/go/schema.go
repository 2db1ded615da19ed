// Command gateway-interop is an independent peer of the gateway: a client on its three transports and
// a backend over gRPC, on Go's own WebSocket, gRPC and protobuf libraries. It reads the gateway's
// .proto files when it starts, so that nothing of it is generated.
package main

import (
	"context"
	"fmt"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// schema is what the .proto files declare.
type schema struct {
	inbound, outbound protoreflect.MessageDescriptor
	proxy             protoreflect.ServiceDescriptor
}

func loadSchema(dir string) (*schema, error) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(
			&protocompile.SourceResolver{ImportPaths: []string{dir}},
		),
	}
	files, err := compiler.Compile(
		context.Background(),
		"messageloop/v1/messageloop.proto",
		"messageloop/proxy/v1/proxy.proto",
	)
	if err != nil {
		return nil, err
	}
	messages := files[0].Messages()
	return &schema{
		inbound:  messages.ByName("InboundMessage"),
		outbound: messages.ByName("OutboundMessage"),
		proxy:    files[1].Services().ByName("ProxyService"),
	}, nil
}

// parse makes a message of protobuf JSON; what the schema does not know is an error.
func parse(descriptor protoreflect.MessageDescriptor, json string) (*dynamicpb.Message, error) {
	message := dynamicpb.NewMessage(descriptor)
	if err := protojson.Unmarshal([]byte(json), message); err != nil {
		return nil, fmt.Errorf("%s: %w", descriptor.Name(), err)
	}
	return message, nil
}

// refuseUnknown fails when a message, or one in it, has fields that the schema does not know.
func refuseUnknown(message protoreflect.Message) error {
	if len(message.GetUnknown()) > 0 {
		return fmt.Errorf("%s has unknown fields", message.Descriptor().Name())
	}
	var failure error
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap() && field.MapValue().Message() != nil:
			value.Map().Range(func(_ protoreflect.MapKey, entry protoreflect.Value) bool {
				failure = refuseUnknown(entry.Message())
				return failure == nil
			})
		case field.IsList() && field.Message() != nil:
			for i := 0; i < value.List().Len() && failure == nil; i++ {
				failure = refuseUnknown(value.List().Get(i).Message())
			}
		case !field.IsMap() && !field.IsList() && field.Message() != nil:
			failure = refuseUnknown(value.Message())
		}
		return failure == nil
	})
	return failure
}

var _ proto.Message = (*dynamicpb.Message)(nil)
