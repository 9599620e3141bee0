//go:build linux

package sharedsocket

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// A wait for the shutdown of a socket ends with it, or with stop. Datagrams, an error of the socket, and a
// shutdown for writing that nobody has told don't end it.
func TestAwaitShutdown(t *testing.T) {
	for _, network := range []string{"udp", "unixgram"} {
		for name, tc := range map[string]struct {
			how  int
			tell bool
			want bool
		}{
			"reading": {syscall.SHUT_RD, false, true}, "both": {syscall.SHUT_RDWR, false, true},
			"writing": {syscall.SHUT_WR, true, true}, "writing, untold": {syscall.SHUT_WR, false, false},
			"well": {-1, true, false},
		} {
			t.Run(network+" "+name, func(t *testing.T) {
				s := listenDatagrams(t, network)
				stop, result := make(chan struct{}), make(chan bool, 1)
				go func() { result <- AwaitShutdown(s.(syscall.Conn), stop) }()
				disturb(t, s)
				select {
				case <-result:
					t.Fatal("the wait ends by itself")
				case <-time.After(10 * time.Millisecond):
				}
				raw, err := s.(syscall.Conn).SyscallConn()
				if err != nil {
					t.Fatal(err)
				}
				if err := raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), tc.how) }); err != nil {
					t.Fatal(err)
				}
				if tc.tell {
					TellShutdown(s.(syscall.Conn))
				}
				if !tc.want {
					time.AfterFunc(10*time.Millisecond, func() { close(stop) })
				}
				select {
				case got := <-result:
					if got != tc.want {
						t.Errorf("%v, want %v", got, tc.want)
					}
				case <-time.After(10 * time.Second):
					t.Error("the wait doesn't end")
				}
			})
		}
	}
}

func listenDatagrams(t *testing.T, network string) net.PacketConn {
	address := "127.0.0.1:0"
	if network == "unixgram" {
		address = t.TempDir() + "/s"
	}
	s, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// disturb sends s a datagram, and has it get an error of another that s has sent.
func disturb(t *testing.T, s net.PacketConn) {
	if _, err := s.WriteTo([]byte("x"), s.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if s.LocalAddr().Network() != "udp" {
		return
	}
	closed := listenDatagrams(t, "udp")
	closed.Close()
	if _, err := s.WriteTo([]byte("x"), closed.LocalAddr()); err != nil {
		t.Fatal(err)
	}
}
