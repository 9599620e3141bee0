package conn

import (
	"io"
	"net"
	"testing"
)

// The kind of a connection is known by what client and program have sent.
func TestKind(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	rows := []struct {
		request, answer string
		want            Kind
	}{
		{"", "", Silent},
		{get, "", HTTP1},
		{get, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", HTTP1},
		{get, "HTTP/1.1 101 Switching Protocols\r\n\r\n", Upgraded},
		{"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n", Upgraded},
		{"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", Upgraded},
		{"\x16\x03\x01\x02\x00", "", TLS},
		{"\x16\x03\x01\x02\x00", "\x16\x03\x03", TLS},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04\x00", HTTP2},
		{"SSH-2.0-OpenSSH_9.9\r\n", "SSH-2.0-Go\r\n", Other},
		{"SSH-2.0-OpenSSH_9.9\r\n", "", Other},
		{"EHLO x\r\n", "250 x\r\n", Other},
		{"POST /a", "", HTTP1},
		{"220 ", "", Other},
	}
	for _, row := range rows {
		for _, draining := range []bool{false, true} {
			client, server := net.Pipe()
			sh := newShared()
			sh.Draining.Store(draining)
			program, tracked := NewTracked(halfPipe{server}, sh)
			kindExchange(t, client, program, row.request, row.answer)
			if k := tracked.Kind(); k != row.want {
				t.Errorf("%.20q answered by %.20q (draining %v): %v, want %v", row.request, row.answer, draining, k, row.want)
			}
			client.Close()
			server.Close()
		}
	}
}

// A connection that has moved here is one of HTTP/1, also before its next request.
func TestKindOfMoved(t *testing.T) {
	if _, tracked := NewMoved(new(net.TCPConn), newShared()); tracked.Kind() != HTTP1 {
		t.Errorf("it is %v", tracked.Kind())
	}
}

// kindExchange has the program read request and write answer.
func kindExchange(t *testing.T, client, program net.Conn, request, answer string) {
	t.Helper()
	if request != "" {
		go func() { _, _ = client.Write([]byte(request)) }()
		if _, err := program.Read(make([]byte, 1024)); err != nil {
			t.Fatal(err)
		}
	}
	if answer != "" {
		go func() { _, _ = io.Copy(io.Discard, client) }()
		if _, err := program.Write([]byte(answer)); err != nil {
			t.Fatal(err)
		}
	}
}
