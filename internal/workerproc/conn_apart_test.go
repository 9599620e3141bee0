package workerproc

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"time"
)

// A program that reads in one goroutine and answers in another is helped like any other.
func TestConnReaderApart(t *testing.T) {
	for _, before := range []int{0, 1, 2, 5} {
		ln := listenConns(t, "tcp")
		server, client := ln.pair(t)
		requests := make(chan *http.Request)
		go func() {
			defer close(requests)
			for br := bufio.NewReader(server); ; {
				r, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				requests <- r
			}
		}()
		go func() {
			for range requests {
				io.WriteString(server, plainAnswer)
			}
			server.Close()
		}()
		ask := func(want string) {
			io.WriteString(client, getRequest)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(client, got); err != nil || string(got) != want {
				t.Fatalf("after %d requests: got %q, %v", before, got, err)
			}
		}
		for range before {
			ask(plainAnswer)
		}
		ln.drain()
		ask(lastAnswer)
		if rest, err := io.ReadAll(client); err != nil || len(rest) > 0 {
			t.Errorf("after %d requests: the end is %q, %v", before, rest, err)
		}
	}
}

// A copy that goes out beside a goroutine that reads is no idle connection, however
// long it takes.
func TestConnCopyApart(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, client := ln.pair(t)
	c := tracked(server)
	source, feed := ln.pair(t)
	io.WriteString(client, getRequest)
	server.Read(make([]byte, 1024))
	io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
	go server.(io.ReaderFrom).ReadFrom(source)
	eventually(t, "the copy", c.sends.Load)
	ended := make(chan error, 1)
	go func() {
		_, err := server.Read(make([]byte, 1024))
		ended <- err
	}()
	eventually(t, "the reader", func() bool { return c.phase.Load() != answering })
	ln.drain()
	for range 10 {
		ln.tick(1)
	}
	io.WriteString(feed, "the body")
	br := bufio.NewReader(client)
	r, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(r.Body); string(body) != "the body" {
		t.Errorf("got %q, %v", body, err)
	}
	select {
	case err := <-ended:
		t.Errorf("the reader was ended: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
}
