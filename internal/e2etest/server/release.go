//go:build linux

package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/worker"
)

// Release is a file that stands for the release on disk: [Version] does what it says.
type Release struct {
	Flags string // the variable that a helper needs in its environment
	t     testing.TB
	path  string
}

// NewRelease writes the file of a release. See [Behave] for the kinds.
func NewRelease(t testing.TB, kind string) Release {
	t.Helper()
	path := filepath.Join(t.TempDir(), "release")
	r := Release{e2etest.FlagsEnv + "=" + path, t, path}
	r.Write(kind)
	return r
}

// Write replaces the release.
func (r Release) Write(kind string) {
	r.t.Helper()
	e2etest.NoError(r.t, os.WriteFile(r.path, []byte(kind), 0o644))
}

// LastWords is what a worker of kind "exits" writes.
const LastWords = "this release exits at once\n"

// Hangs is what a process of kind "hangs" writes.
const Hangs = "this release hangs\n"

// Reported is what a worker of kind "reports" says is wrong with it.
const Reported = "the new index is missing"

// Version is Serve of the release on disk.
func Version() {
	Behave()
	Serve()
}

// Behave does what the kind of the release says: "exits" exits with status 3, "hangs"
// never returns, "dies" exits with status 4 after 200 ms, "reports" says
// then that it is not well, and others do nothing. Masters
// do it if the kind has the prefix "master ", and workers if it hasn't.
func Behave() {
	b, _ := os.ReadFile(os.Getenv(e2etest.FlagsEnv))
	kind, ofMaster := strings.CutPrefix(strings.TrimSpace(string(b)), "master ")
	if ofMaster != (worker.Self() == nil) {
		return
	}
	switch kind {
	case "exits":
		fmt.Fprint(os.Stderr, LastWords)
		os.Exit(3)
	case "hangs":
		fmt.Fprint(os.Stderr, Hangs)
		select {}
	case "dies":
		time.AfterFunc(200*time.Millisecond, func() { os.Exit(4) })
	case "reports":
		time.AfterFunc(200*time.Millisecond, func() { worker.Self().Report(errors.New(Reported)) })
	}
}
