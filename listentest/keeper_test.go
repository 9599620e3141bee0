package listentest

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// A keeper keeps every socket open and makes listeners from duplicates of its
// descriptor, as a master process does, so that a socket outlives its listeners.
type keeper struct {
	mu    sync.Mutex
	files map[string]*os.File // by network and requested address
	inUse map[string]bool
	chose int // how many requests for port 0 there were
}

func newKeeper(t *testing.T) *keeper {
	k := &keeper{files: map[string]*os.File{}, inUse: map[string]bool{}}
	t.Cleanup(func() {
		for _, f := range k.files {
			f.Close()
		}
	})
	return k
}

// file returns the socket for an address, and the function to call when its listener is
// closed. An address that is in use is bound again, which the kernel refuses.
func (k *keeper) file(network, address string, bind func() (*os.File, error)) (*os.File, func(), error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := network + " " + address
	if strings.HasSuffix(address, ":0") || strings.HasSuffix(address, ":") {
		k.chose++
		key += fmt.Sprint(" ", k.chose)
	}
	if k.files[key] == nil || k.inUse[key] {
		f, err := bind()
		if err != nil {
			return nil, nil, err
		}
		k.files[key] = f
	}
	k.inUse[key] = true
	return k.files[key], func() { k.release(key) }, nil
}

func (k *keeper) release(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.inUse[key] = false
}

func (k *keeper) Listen(network, address string) (net.Listener, error) {
	f, release, err := k.file(network, address, func() (*os.File, error) {
		ln, err := net.Listen(network, address)
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		if u, ok := ln.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		return ln.(interface{ File() (*os.File, error) }).File()
	})
	if err != nil {
		return nil, err
	}
	ln, err := net.FileListener(f)
	return keptListener{ln, release}, err
}

func (k *keeper) ListenPacket(network, address string) (net.PacketConn, error) {
	f, release, err := k.file(network, address, func() (*os.File, error) {
		pc, err := net.ListenPacket(network, address)
		if err != nil {
			return nil, err
		}
		defer pc.Close()
		return pc.(interface{ File() (*os.File, error) }).File()
	})
	if err != nil {
		return nil, err
	}
	pc, err := net.FilePacketConn(f)
	if u, ok := pc.(*net.UnixConn); ok {
		return keptUnixgram{u, release}, err
	}
	return keptUDP{pc.(*net.UDPConn), release}, err
}

type keptListener struct {
	net.Listener
	release func()
}

func (l keptListener) Close() error { return closeAndRelease(l.Listener.Close, l.release) }

type keptUDP struct {
	*net.UDPConn
	release func()
}

func (c keptUDP) Close() error { return closeAndRelease(c.UDPConn.Close, c.release) }

type keptUnixgram struct {
	*net.UnixConn
	release func()
}

func (c keptUnixgram) Close() error { return closeAndRelease(c.UnixConn.Close, c.release) }

func closeAndRelease(closeIt func() error, release func()) error {
	err := closeIt()
	if err == nil {
		release()
	}
	return err
}

// TestKept tests sockets that stay open after Close, with Options.Shared.
func TestKept(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot make a listener from a duplicate")
	}
	k := newKeeper(t)
	suite{listen: k.Listen, listenPacket: k.ListenPacket, Options: Options{Shared: true}}.run(testingTB{t})
}
