// Grpc is a gRPC server that reloads without cutting a call. It calls GracefulStop when
// its worker drains; everything else is as without rota.
//
//	go run . &
//	kill -HUP <the master's pid, from its first log line>
package main

import (
	"context"
	"flag"
	"io"
	"log"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/worker"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	ln, err := rota.Listen("tcp", *addr) // was: net.Listen
	if err != nil {
		log.Fatal(err)
	}
	srv := grpc.NewServer()
	srv.RegisterService(&echo, nil)
	if w := worker.Self(); w != nil {
		w.OnDisconnect(func(ctx context.Context) error { srv.GracefulStop(); return nil })
		defer func() { <-w.Done() }()
	}
	if err := srv.Serve(ln); err != nil { // nil after GracefulStop
		log.Print(err)
	}
}

// echo is a service of one call, Lines, which sends back every line of a stream. It is
// written by hand so that this example needs no generated code.
var echo = grpc.ServiceDesc{
	ServiceName: "rota.Echo",
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{
		{StreamName: "Lines", ServerStreams: true, ClientStreams: true, Handler: lines},
	},
}

func lines(_ any, stream grpc.ServerStream) error {
	for {
		line := new(wrapperspb.StringValue)
		if err := stream.RecvMsg(line); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(line); err != nil {
			return err
		}
	}
}
