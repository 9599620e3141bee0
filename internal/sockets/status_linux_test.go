//go:build linux

package sockets

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
)

// Status has how many connections wait in the queue of a TCP socket, and how many may.
func TestStatus(t *testing.T) {
	table := New(2)
	defer table.CloseAll()
	_, b := table.Ask(Caller{Holder: 1, Call: 1}, bind.NewRequest("tcp", "127.0.0.1:0", false, bind.Options{Backlog: 7}), nil)
	opened, err := b.Run(context.Background(), Open)
	if err != nil {
		t.Fatal(err)
	}
	table.Bound(b, opened, err, time.Now())
	for n := range 3 {
		s := table.Status()
		if len(s) != 1 || s[0].Queue != n || s[0].Limit != 7 || s[0].Workers != 1 || s[0].Address != opened.Addr.String() {
			t.Fatalf("after %d connections: %+v", n, s)
		}
		c, err := net.Dial("tcp", s[0].Address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
}
