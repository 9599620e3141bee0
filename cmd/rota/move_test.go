//go:build linux

package main

import (
	"errors"
	"log"
	"os"
	"path/filepath"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// controlEnv has the name of a file with what a server's Config.Control is.
const controlEnv = "ROTA_TEST_CONTROL"

// moves is a server whose control socket is where the file says.
func moves() {
	cfg := server.Quick(1)
	control, err := os.ReadFile(os.Getenv(controlEnv))
	cfg.Control = string(control)
	if err = errors.Join(err, rota.Setup(cfg)); err != nil {
		log.Fatal(err)
	}
	server.Serve()
}

// An upgrade to a master whose control socket has another path, or that has none, is done, and the old path is free.
func TestUpgradeMoves(t *testing.T) {
	dir := t.TempDir()
	file, old, moved := filepath.Join(dir, "control"), filepath.Join(dir, "old.sock"), filepath.Join(dir, "new.sock")
	e2etest.NoError(t, os.WriteFile(file, []byte(old), 0o600))
	s := &service{t: t, path: old}
	s.Process = e2etest.Start(t, "moves", server.Quick(1), controlEnv+"="+file)
	for _, next := range []string{moved, "off"} {
		e2etest.NoError(t, os.WriteFile(file, []byte(next), 0o600))
		s.rota(done, "upgrade")
		e2etest.WaitFor(t, "the file of the socket is removed", func() bool { _, err := os.Lstat(s.path); return err != nil })
		s.path = next
	}
}
