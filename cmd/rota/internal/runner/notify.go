//go:build linux

package runner

import (
	"net"
	"os"
	"path/filepath"
	"strings"
)

// notifySocket is where the program sends its state, as to systemd.
type notifySocket struct {
	conn *net.UnixConn
	dir  string
	path string
}

func listenNotify() (*notifySocket, error) {
	dir, err := os.MkdirTemp("", "rota-run-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return &notifySocket{conn, dir, path}, nil
}

// close removes the socket. Without one it does nothing.
func (n *notifySocket) close() {
	if n == nil {
		return
	}
	_ = n.conn.Close()
	_ = os.RemoveAll(n.dir)
}

// wait waits for READY=1, and reports false if the socket is closed before. Messages that come
// later are read and have no effect.
func (n *notifySocket) wait() bool {
	ready := make(chan bool, 1)
	go n.read(ready)
	return <-ready
}

func (n *notifySocket) read(ready chan<- bool) {
	b := make([]byte, 4096)
	for {
		size, _, err := n.conn.ReadFromUnix(b)
		said := err == nil && hasLine(string(b[:size]), "READY=1")
		if said || err != nil {
			select {
			case ready <- said:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

func hasLine(text, want string) bool {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == want {
			return true
		}
	}
	return false
}
