//go:build linux

package conn

import (
	"io"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/http1"
)

// An answer of a pipeline doesn't announce the end if the connection is going to move. If the pipeline seems to have no end, one
// does, and all are still sent. So does the next one of any pipeline in the last half of the drain.
func TestPipelineThatIsToMove(t *testing.T) {
	for n, want := range map[int]int{3: 3, 60: 0, 100: 100 - 64} {
		from, to := two(t)
		server, client := from.connListener.pair(t)
		from.leave(t, to, true)
		if n == 3 {
			(*Tracked)(tracked(server)).Hasten()
		}
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

// A program that copies all answers to a connection in one call, as a forwarder does, has its client told to reconnect in a drain: between
// two answers the copy goes on, so the connection can't move.
func TestCopyOfAnswersStays(t *testing.T) {
	from, to := two(t)
	server, client := from.connListener.pair(t)
	answers, backend := io.Pipe()
	go server.(io.ReaderFrom).ReadFrom(answers)
	go io.Copy(io.Discard, onlyReader{server})
	defer backend.Close()
	for i, want := range []string{plainAnswer, lastAnswer} {
		if i == 1 {
			from.leave(t, to, true)
		}
		io.WriteString(client, getRequest)
		eventually(t, "the request is read", func() bool {
			s := tracked(server).http.State()
			return s.Phase == "followed" && !s.Rest && s.Events > 0
		})
		io.WriteString(backend, plainAnswer)
		if got := readFull(client, len(want)); got != want {
			t.Errorf("answer %d is %q, want %q", i, got, want)
		}
	}
}
