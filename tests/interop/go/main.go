package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	protos := flag.String("protos", "", "the folder of the .proto files")
	backend := flag.Bool("backend", false, "serve as a backend")
	var o clientOptions
	flag.StringVar(&o.transport, "transport", "json", "json, proto or grpc")
	flag.StringVar(&o.address, "address", "", "the gateway")
	flag.StringVar(&o.token, "token", "", "the token")
	flag.StringVar(&o.clientID, "client", "go", "the client's id")
	flag.StringVar(&o.channel, "channel", "", "the channel to subscribe and publish to")
	flag.StringVar(&o.auto, "auto", "", "a channel to subscribe to with connect")
	flag.IntVar(&o.publish, "publish", 0, "publications to make")
	flag.IntVar(&o.expect, "expect", 0, "publications to wait for")
	flag.StringVar(&o.method, "rpc", "", "a method to call")
	flag.Parse()
	s, err := loadSchema(*protos)
	if err != nil {
		return err
	}
	if *backend {
		return runBackend(s)
	}
	return runClient(s, o)
}
