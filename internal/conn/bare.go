package conn

import (
	"runtime"
	"sync"
	"syscall"
	"weak"
)

// Bare are the connections that the program has as package net's types. Nothing tells
// when the program closes one; a drain asks each. One that the program has lost is closed
// by package net, and no longer among them.
type Bare[T any, P BareConn[T]] struct {
	mu   sync.Mutex
	open map[weak.Pointer[T]]bool
}

// BareConn is a *net.TCPConn or a *net.UnixConn.
type BareConn[T any] interface {
	*T
	ReadCloser
	syscall.Conn
}

// Add adds c, which is open.
func (b *Bare[T, P]) Add(c P) {
	key := weak.Make((*T)(c))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = make(map[weak.Pointer[T]]bool)
	}
	b.open[key] = true
	runtime.AddCleanup((*T)(c), b.remove, key)
}

func (b *Bare[T, P]) remove(key weak.Pointer[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, key)
}

// AnyOpen reports whether the program has a connection that it has not closed.
func (b *Bare[T, P]) AnyOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.open {
		if c := key.Value(); c != nil && isOpen(P(c)) {
			return true
		}
		delete(b.open, key)
	}
	return false
}

// isOpen reports whether c, which was open once, has not been closed.
func isOpen(c syscall.Conn) bool {
	raw, err := c.SyscallConn()
	return err == nil && raw.Control(func(uintptr) {}) == nil
}

// CloseAfter closes the connections that are open when done is closed. It returns at once.
func (b *Bare[T, P]) CloseAfter(done <-chan struct{}) {
	go func() {
		<-done
		for _, c := range b.All() {
			_ = c.Close() // the program may have
		}
	}()
}

// All returns the connections, among them some that the program has closed.
func (b *Bare[T, P]) All() (all []Endable) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.open {
		if c := key.Value(); c != nil {
			all = append(all, bareEnd{P(c)})
		}
	}
	return all
}

// bareEnd makes a connection of package net endable.
type bareEnd struct{ ReadCloser }

func (b bareEnd) EndReading() { _ = b.CloseRead() } // the program or its client may have closed it
