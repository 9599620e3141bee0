package listentest

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
)

func brokenErrors(*workshop) []broken {
	strings := failing(func(err error) error { return errors.New(err.Error()) })
	prefixed := failing(func(err error) error {
		e := *err.(*net.OpError)
		e.Err = &wrapped{"worker", e.Err}
		return &e
	})
	textOnly := failing(func(err error) error {
		e := *err.(*net.OpError)
		e.Err = errors.New(e.Err.Error())
		return &e
	})
	nameless := failing(func(err error) error {
		e := *err.(*net.OpError)
		e.Addr = &net.IPNet{}
		return &e
	})
	rows := []broken{
		{"errors are strings", "errors/*", "the error is a *errors.errorString", strings},
		{"errors are strings", "packeterrors/*", "the error is a *errors.errorString", strings},
		{"errors have another text", "tcp/InUse", "the text differs", prefixed},
		{"errors have another text", "udp/InUse", "the text differs", prefixed},
		{"errors have another Addr", "tcp/InUse", "the fields differ", nameless},
		{"errors have no errno", "*/InUse*", "errors.Is(", textOnly},
		{"errors have no errno", "*/NotLocal", "errors.Is(", textOnly},
		{"errors have no errno", "unix*/Path*", "errors.Is(", textOnly},
		{"an address may be had twice", "tcp/InUse", "succeeded, package net returns", twice()},
		{"failures are remembered", "tcp/FailureForgotten", "address already in use", remembering()},
		{"failures are remembered", "udp/FailureForgotten", "address already in use", remembering()},
		{"paths are cut off", "unix*/PathTooLong", "succeeded, package net returns", asking(func(_, address string) string { return address[:min(len(address), 60)] })},
		{"directories are made", "unix*/PathNoDirectory", "succeeded, package net returns", asking(func(_, address string) string {
			os.MkdirAll(filepath.Dir(address), 0o700)
			return address
		})},
		{"files are replaced", "unix/PathRegularFile", "succeeded, package net returns", asking(func(_, address string) string {
			os.Remove(address)
			return address
		})},
		{"files are emptied", "unix/PathRegularFile", "the file holds", asking(func(_, address string) string {
			os.WriteFile(address, nil, 0o600)
			return address
		})},
	}
	if !mayAll() {
		rows = append(rows, broken{"errors have no errno", "tcp/NotPermitted", "errors.Is(", textOnly})
	}
	return rows
}

// mayAll reports whether nothing is forbidden to this process.
func mayAll() bool {
	ln, err := net.Listen("tcp", "127.0.0.1:1")
	if err == nil {
		ln.Close()
	}
	return !errors.Is(err, os.ErrPermission)
}

type wrapped struct {
	text string
	error
}

func (w *wrapped) Error() string { return w.text + ": " + w.error.Error() }
func (w *wrapped) Unwrap() error { return w.error }

// twice gives the same listener to everyone who asks.
func twice() suite {
	var mu sync.Mutex
	had := map[string]net.Listener{}
	return suite{listen: func(network, address string) (net.Listener, error) {
		mu.Lock()
		defer mu.Unlock()
		if ln := had[address]; ln != nil {
			return ln, nil
		}
		ln, err := net.Listen(network, address)
		had[address] = ln
		return ln, err
	}}
}

// remembering gives the same error for the same address on every call.
func remembering() suite {
	var mu sync.Mutex
	failed := map[string]error{}
	remember := func(address string, err error) error {
		mu.Lock()
		defer mu.Unlock()
		if failed[address] == nil {
			failed[address] = err
		}
		return failed[address]
	}
	return suite{
		listen: func(network, address string) (net.Listener, error) {
			ln, err := net.Listen(network, address)
			if err = remember(address, err); err != nil && ln != nil {
				ln.Close()
				ln = nil
			}
			return ln, err
		},
		listenPacket: func(network, address string) (net.PacketConn, error) {
			pc, err := net.ListenPacket(network, address)
			if err = remember(address, err); err != nil && pc != nil {
				pc.Close()
				pc = nil
			}
			return pc, err
		},
	}
}
