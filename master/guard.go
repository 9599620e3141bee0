package master

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// guarded calls a function of the program's Config. One that panics, or ends its
// goroutine, has failed: it must not end the master, whose workers serve.
func guarded(what string, log *slog.Logger, f func() error) error {
	result := make(chan error, 1)
	go func() {
		err := fmt.Errorf("%s has not returned", what)
		defer func() {
			if p := recover(); p != nil {
				log.Error("rota: a function of the configuration panicked", "function", what, "panic", p, "stack", string(debug.Stack()))
				err = fmt.Errorf("%s panicked: %v", what, p)
			}
			result <- err
		}()
		err = f()
	}()
	return <-result
}
