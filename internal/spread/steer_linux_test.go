//go:build linux

package spread

import (
	"context"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// group opens n UDP sockets of one address that have a group.
func group(t *testing.T, address string, n int) (all []*net.UDPConn) {
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		return err
	}}
	for range n {
		c, err := lc.ListenPacket(context.Background(), "udp", address)
		if err != nil {
			t.Skip(err) // no IPv6 here
		}
		t.Cleanup(func() { _ = c.Close() })
		all, address = append(all, c.(*net.UDPConn)), c.LocalAddr().String()
	}
	return all
}

// control calls f with the descriptor of a socket.
func control(t *testing.T, c syscall.Conn, f func(fd int) error) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		if cerr := raw.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
			err = cerr
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// received returns who has sent to each of the sockets.
func received(t *testing.T, all []*net.UDPConn) (from []map[string]int) {
	buf := make([]byte, 10)
	for _, c := range all {
		clients := map[string]int{}
		for {
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			_, client, err := c.ReadFrom(buf)
			if err != nil {
				break
			}
			clients[client.String()]++
		}
		from = append(from, clients)
	}
	return from
}

// The datagrams of a client all come to one socket, which is one of the first; the clients come
// to all of these.
func TestSteerDatagrams(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			all := group(t, address, 4)
			control(t, all[3], func(fd int) error { return Steer(fd, First(3), true) })
			clients := dialAll(t, all[0].LocalAddr().String(), 90)
			sendAll(t, clients, 3)
			seen := 0
			for i, from := range received(t, all) {
				seen += len(from)
				for client, n := range from {
					if n != 3 {
						t.Errorf("socket %d: %d datagrams of %s, want all 3 or none", i, n, client)
					}
				}
				if n := len(from); (i < 3) != (n > 8) || i == 3 && n > 0 {
					t.Errorf("socket %d: %d clients, want about 30 at the first three", i, n)
				}
			}
			if seen != len(clients) {
				t.Errorf("%d clients, want %d", seen, len(clients))
			}
			control(t, all[0], Unsteer)
			control(t, all[0], Unsteer) // a second time does no harm
			sendAll(t, clients, 1)
			if n := len(received(t, all)[3]); n == 0 {
				t.Error("the last socket gets nothing, although all should again")
			}
		})
	}
}

// Connections come to those sockets that are named, by the order in which they were opened.
func TestSteerConnections(t *testing.T) {
	all := listeners(t, 4)
	for _, to := range [][]int{{0, 2}, {1, 3}, {3}, {1, 2, 3}, {0, 1, 2, 3}} {
		control(t, all[2].(syscall.Conn), func(fd int) error { return Steer(fd, to, false) })
		for i, n := range accepted(t, all, 40*len(to)) {
			if named := slices.Contains(to, i); named != (n > 10) || !named && n > 0 {
				t.Errorf("to %v: socket %d has got %d", to, i, n)
			}
		}
	}
	for _, to := range [][]int{nil, make([]int, 3000)} {
		control(t, all[0].(syscall.Conn), func(fd int) error {
			if Steer(fd, to, false) == nil {
				t.Errorf("%d sockets: no error", len(to))
			}
			return nil
		})
	}
}

// listeners returns n listeners of one address.
func listeners(t *testing.T, n int) (all []net.Listener) {
	lc, address := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		return err
	}}, "127.0.0.1:0"
	lc.SetMultipathTCP(false)
	for range n {
		ln, err := lc.Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ln.Close() })
		all, address = append(all, ln), ln.Addr().String()
	}
	return all
}

// accepted opens n connections, and returns how many have come to each listener.
func accepted(t *testing.T, all []net.Listener, n int) (got []int) {
	for range n {
		c, err := net.Dial("tcp", all[0].Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	got = make([]int, len(all))
	for i, ln := range all {
		for ; ; got[i]++ {
			_ = ln.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Millisecond))
			c, err := ln.Accept()
			if err != nil {
				break
			}
			defer c.Close()
		}
	}
	return got
}

func dialAll(t *testing.T, address string, n int) (clients []net.Conn) {
	for range n {
		c, err := net.Dial("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		clients = append(clients, c)
	}
	return clients
}

func sendAll(t *testing.T, clients []net.Conn, times int) {
	for i := range times {
		for _, c := range clients {
			if _, err := fmt.Fprint(c, i); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A Sentry reports a socket once, by its id, until it is armed again, and nothing of one that it
// was told to forget.
func TestSentry(t *testing.T) {
	s, err := NewSentry()
	if err != nil {
		t.Fatal(err)
	}
	ids, ended := make(chan int, 10), make(chan error, 1)
	go func() {
		id, err := s.Wait()
		for ; err == nil; id, err = s.Wait() {
			ids <- id
		}
		ended <- err
	}()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	arm := func() { control(t, ln.(syscall.Conn), func(fd int) error { return s.Arm(fd, 7) }) }
	arm()
	nothing(t, ids)
	for range 2 { // two that wait are one report
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	reports(t, ids)
	nothing(t, ids)
	arm() // they still wait
	reports(t, ids)
	control(t, ln.(syscall.Conn), func(fd int) error { s.Forget(fd); return nil })
	nothing(t, ids)
	s.Close()
	if err := <-ended; err != ErrClosed {
		t.Errorf("Wait: %v, want ErrClosed", err)
	}
}

func reports(t *testing.T, ids <-chan int) {
	t.Helper()
	select {
	case id := <-ids:
		if id != 7 {
			t.Errorf("id %d, want 7", id)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no report")
	}
}

func nothing(t *testing.T, ids <-chan int) {
	t.Helper()
	select {
	case id := <-ids:
		t.Errorf("socket %d reports", id)
	case <-time.After(10 * time.Millisecond):
	}
}
