//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Reloads under streams that are open all the time: each stream ends as its client
// ends it, with every line sent back.
func TestReloadUnderStreams(t *testing.T) {
	p := e2etest.StartProgram(t)
	conns := make(chan *grpc.ClientConn, 8)
	for range cap(conns) {
		c, err := grpc.NewClient(p.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns <- c
	}
	e2etest.UnderLoad(p, 32, 6, func() error {
		c := <-conns
		conns <- c // shared by some loops
		return stream(c)
	})
}

// stream is one call.
func stream(c *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), e2etest.Stuck)
	defer cancel()
	s, err := c.NewStream(ctx, &echo.Streams[0], "/rota.Echo/Lines")
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	for i := range 50 {
		sent, got := wrapperspb.String(fmt.Sprint("line ", i)), new(wrapperspb.StringValue)
		if err := s.SendMsg(sent); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		if err := s.RecvMsg(got); err != nil || got.Value != sent.Value {
			return fmt.Errorf("got %q for %q: %w", got.Value, sent.Value, err)
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	if err := s.RecvMsg(new(wrapperspb.StringValue)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the end: %w", err)
	}
	return nil
}
