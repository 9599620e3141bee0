package main

import (
	"context"
	"errors"
	"os"

	"github.com/rota-go/rota/cmd/rota/internal/top"
	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/controlclient"
	"github.com/rota-go/rota/status"
)

// runTop is "rota top". Where standard output is no terminal it prints one table.
func (c *call) runTop(path string) int {
	ctx, cancel := c.context()
	defer cancel()
	first, err := count(ctx, path)
	if err != nil {
		return c.fail(err)
	}
	out, isFile := c.stdout.(*os.File)
	if !isFile || !isTerminal(out) {
		top.Print(c.stdout, first)
		return done
	}
	from := top.Source{
		Count: func(ctx context.Context) (status.Status, error) { return count(ctx, path) },
		Watch: func(ctx context.Context, each func(status.Status)) error { return watch(ctx, path, each) },
	}
	if err := top.Run(os.Stdin, out, first, from); err != nil {
		return c.fail(err)
	}
	return done
}

// count asks the master for one status.
func count(ctx context.Context, path string) (s status.Status, err error) {
	r, err := controlclient.Do(ctx, path, control.Request{Do: control.Status}, func(r control.Reply) {
		if r.Status != nil {
			s = *r.Status
		}
	})
	if err == nil && r.Code != control.Done {
		err = errors.New(r.Error)
	}
	return s, err
}

// watch calls each with the status of now and after each change, until ctx or the master ends.
func watch(ctx context.Context, path string, each func(status.Status)) error {
	r, err := controlclient.Do(ctx, path, control.Request{Do: control.Watch}, func(r control.Reply) {
		if r.Status != nil {
			each(*r.Status)
		}
	})
	if err == nil {
		err = errors.New(r.Error) // such as too many clients
	}
	return err
}
