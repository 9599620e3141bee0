package workerproc

import (
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/wire"
)

// What the end of the grace closes is told, by kind. A drain that ends before says nothing.
func TestCutConnectionsAreReported(t *testing.T) {
	for name, ends := range map[string]bool{"grace ends": false, "all close": true} {
		inBubble(t, func(t *testing.T, b *bench) {
			b.receive(wire.Welcome, wire.WelcomeBody{Version: 1, Grace: 3 * time.Second, IdleGrace: time.Second})
			ln, err := b.trackListener(&listener{Listener: newPipeListener(), id: 1}, bind.Request{})
			if err != nil {
				t.Fatal(err)
			}
			for _, first := range []string{"\x16\x03\x01", "\x16\x03\x01", "SSH-2.0-x\r\n", "GET / HTTP/1.1\r\n\r\n"} {
				client, program, tracked := b.tracked(ln.(*listener))
				defer client.Close()
				go func() { _, _ = client.Write([]byte(first)) }()
				if _, err := program.Read(make([]byte, 100)); err != nil {
					t.Fatal(err)
				}
				if ends {
					defer time.AfterFunc(time.Second, func() { tracked.Close() }).Stop()
				}
			}
			said := stderrOf(t, func() {
				_ = b.Disconnect()
				<-b.Done()
			})
			const want = "rota: worker 7: WARN 4 connections cut at the end of the grace of 3s: 1 HTTP/1, 2 TLS, 1 of another protocol; "
			if ends == (said != "") || !ends && !strings.HasPrefix(said, want) {
				t.Errorf("%s: the worker says %q", name, said)
			}
		})
	}
}
