// Package userfunc calls a function of the program's configuration, so that one that
// panics or ends its goroutine doesn't end the master.
package userfunc

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Call calls f on a goroutine of its own, waits for it and returns its error. If f
// panics, Call logs the panic with its stack and returns an error that says so. If f ends
// its goroutine, Call returns an error too. name is the name of the function, for the
// error and the log.
func Call(name string, log *slog.Logger, f func() error) error {
	result := make(chan error, 1)
	go func() {
		err := fmt.Errorf("%s has not returned", name)
		defer func() {
			if p := recover(); p != nil {
				log.Error("rota: a function of the configuration panicked", "function", name, "panic", p, "stack", string(debug.Stack()))
				err = fmt.Errorf("%s panicked: %v", name, p)
			}
			result <- err
		}()
		err = f()
	}()
	return <-result
}

// Wrap returns a function that calls f as Call does.
func Wrap[T any](name string, log *slog.Logger, f func() T) func() (T, error) {
	return func() (v T, err error) {
		err = Call(name, log, func() error { v = f(); return nil })
		return v, err
	}
}
