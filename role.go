package rota

import (
	"errors"
	"flag"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

const (
	roleWorker = iota
	rolePlain
	roleMaster
)

// role is what this process is to Listen: the table of its comment.
func role() int {
	switch {
	case link.IsWorker():
		return roleWorker
	case link.IsMaster(), !link.Supported, os.Getenv("ROTA") == "off":
		return rolePlain
	case underTest() && os.Getenv("ROTA") != "on":
		return rolePlain
	}
	return roleMaster
}

// underTest reports whether go test runs this process: package testing has then
// registered its flags, unless a test has put another flag.CommandLine in their place.
// Asking testing.Testing would link it into every server.
func underTest() bool { return flag.Lookup("test.v") != nil || isTestBinary() }

// isTestBinary reports whether go test has built this program. A module may be called
// "example.test" too.
var isTestBinary = sync.OnceValue(func() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && strings.HasSuffix(info.Path, ".test") && info.Path != info.Main.Path
})

// self is this worker, which from its first call on obeys SIGTERM.
func self() *worker.Worker {
	obeyOnce.Do(func() { obey(worker.Self()) })
	return worker.Self()
}

var obeyOnce sync.Once

// theMaster is the one that Listen starts, or has started this worker.
var theMaster struct {
	mu    sync.Mutex
	cfg   master.Config
	begun bool // Listen was called: too late for Setup
}

// begun notes that a worker has called Listen. The master, which runs the same program,
// is told nothing by what comes after that.
func begun() {
	theMaster.mu.Lock()
	defer theMaster.mu.Unlock()
	theMaster.begun = true
}

// becomeMaster returns only if there can be no master. A second Listen, on another
// goroutine, waits for the end of the process too.
func becomeMaster() error {
	theMaster.mu.Lock()
	if theMaster.begun {
		theMaster.mu.Unlock()
		select {}
	}
	m, cfg, err := newMaster()
	theMaster.begun = err == nil
	theMaster.mu.Unlock()
	if err != nil {
		return err
	}
	os.Exit(conduct(m, cfg))
	return nil
}

// newMaster makes the master. The caller holds theMaster.mu.
func newMaster() (*master.Master, master.Config, error) {
	cfg := theMaster.cfg
	if cfg.Workers == 0 {
		n, err := workersFrom(os.Getenv("ROTA_WORKERS"))
		if err != nil {
			return nil, cfg, err
		}
		cfg.Workers = n
	}
	m, err := master.New(cfg)
	return m, cfg, err
}

// workersFrom reads ROTA_WORKERS.
func workersFrom(s string) (int, error) {
	switch s {
	case "":
		return 1, nil
	case "auto":
		return runtime.GOMAXPROCS(0), nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxWorkers {
		return 0, &master.ConfigError{Field: "ROTA_WORKERS", Value: s, Want: `a number from 1 to 1024, or "auto"`}
	}
	return n, nil
}

// maxWorkers is what ROTA_WORKERS may ask for: more is a typing error.
const maxWorkers = 1024

// statusOf is the exit status of a master whose Run returned err: that of the worker
// that could not start, if that is why. One that a signal has killed has the status
// that a shell gives it.
func statusOf(err error) int {
	var start *master.StartError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &start) || start.Exit.Err != nil:
		return 1
	}
	if s, ok := start.Exit.Signal.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return start.Exit.Code
}

func logger(cfg master.Config) *slog.Logger {
	if cfg.Logger != nil {
		return cfg.Logger
	}
	return slog.Default()
}
