//go:build linux

package conn

import (
	"io"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/http1"
)

// An answer of a pipeline doesn't announce the end if the connection is going to move. If the pipeline seems to have no end, one
// does, and all are still sent.
func TestPipelineThatIsToMove(t *testing.T) {
	for n, want := range map[int]int{60: 0, 100: 100 - 64} {
		from, to := two(t)
		server, client := from.connListener.pair(t)
		from.leave(t, to, true)
		io.WriteString(client, pipeline(n))
		if _, err := io.ReadFull(server, make([]byte, len(pipeline(n)))); err != nil {
			t.Fatal(err)
		}
		for range n {
			io.WriteString(server, "HTTP/1.1 204 No Content\r\n\r\n")
		}
		server.Close()
		all, _ := io.ReadAll(client)
		if k := strings.Count(string(all), http1.Line); strings.Count(string(all), "204") != n || k != want {
			t.Errorf("%d of %d announce the end, want %d: %q", k, n, want, all)
		}
	}
}
