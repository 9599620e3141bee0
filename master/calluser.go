package master

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// callUser calls a function of the program's Config and returns its error. If the
// function panics or ends its goroutine, callUser returns an error that says so: it must
// not end the master. what is the function's name, for the error and the log.
func callUser(what string, log *slog.Logger, f func() error) error {
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
