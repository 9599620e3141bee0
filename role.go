package rota

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/internal/logqueue"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/settings"
	"github.com/rota-go/rota/internal/workerproc"
	"github.com/rota-go/rota/master"
)

const (
	roleWorker = iota
	rolePlain
	roleMaster
)

// role returns what Listen does in this process; see its comment.
func role() int {
	switch {
	case link.IsWorker():
		return roleWorker
	case isListening(): // the master that Listen has made
		return roleMaster
	case link.Secure():
		warnSecure()
		return rolePlain
	case settings.CheckMode(os.Getenv("ROTA")) != nil:
		return roleMaster // the settings are wrong: becomeMaster fails
	case link.IsMaster(), !link.Supported, os.Getenv("ROTA") == "off":
		return rolePlain
	case underTest() && os.Getenv("ROTA") != "on":
		return rolePlain
	}
	return roleMaster
}

// warnSecure says why a program with privileges of its own is not served by workers.
var warnSecure = sync.OnceFunc(func() {
	slog.Warn("rota: no master under secure execution (set-uid, or a file with capabilities), Listen is net.Listen")
})

// underTest reports whether this process runs under go test: package testing has then
// registered its flags, unless a test has replaced flag.CommandLine. testing.Testing would
// say so too, but would link package testing into every server.
func underTest() bool { return flag.Lookup("test.v") != nil || isTestBinary() }

// isTestBinary reports whether this program was built by go test. A module may also be
// called "example.test".
var isTestBinary = sync.OnceValue(func() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && strings.HasSuffix(info.Path, ".test") && info.Path != info.Main.Path
})

// self returns this worker. The first call installs the handlers of the worker's signals.
func self() *workerproc.Worker {
	workerSignalsOnce.Do(func() { handleWorkerSignals(workerproc.Self()) })
	return workerproc.Self()
}

var workerSignalsOnce sync.Once

// theMaster is what a process has one of: the configuration of the master that Listen
// starts, and whether Listen was called.
var theMaster struct {
	mu        sync.Mutex
	cfg       master.Config
	listening bool // Listen was called: too late for Setup

	onMaster []func(*master.Master) // of OnMaster
}

func isListening() bool {
	theMaster.mu.Lock()
	defer theMaster.mu.Unlock()
	return theMaster.listening
}

// markListening records that a worker has called Listen. Setup fails from here on, as it
// never returns in the master, which runs the same program up to Listen.
func markListening() {
	theMaster.mu.Lock()
	defer theMaster.mu.Unlock()
	theMaster.listening = true
}

// becomeMaster makes this process the master, and returns only if that fails. A second
// call, on another goroutine, blocks until the process ends.
func becomeMaster() error {
	theMaster.mu.Lock()
	if theMaster.listening {
		theMaster.mu.Unlock()
		select {}
	}
	cfg, err := masterConfig()
	if err == nil && process.CanRestart() {
		if err := restartAsMaster(cfg, len(theMaster.onMaster) > 0); !cfg.RunMain {
			logger(cfg).Warn("rota: what main has begun goes on in the master", "why", err)
		}
	}
	var m *master.Master
	if err == nil {
		cfg.Logger = logger(cfg)
		m, err = master.New(cfg)
	}
	theMaster.listening = err == nil
	theMaster.mu.Unlock()
	if err != nil {
		return err
	}
	os.Exit(runMaster(m, cfg))
	return nil
}

// masterConfig returns the configuration of the master that Listen starts: what Setup has set, and
// for the rest the environment. The caller holds theMaster.mu.
func masterConfig() (master.Config, error) { return configured(theMaster.cfg) }

// configured returns cfg with what it leaves to the environment.
func configured(cfg master.Config) (master.Config, error) {
	p := settings.CheckMode(os.Getenv("ROTA"))
	if p == nil {
		p = settings.Apply(&cfg, os.Getenv)
	}
	if p != nil {
		return cfg, fmt.Errorf("the environment: %w", (*master.ConfigError)(p))
	}
	cfg.Control = controlPath(cfg.Control)
	return cfg, cfg.Validate()
}

// controlPath returns the path of the control socket: what is configured or in the environment, or
// a file in the first directory that systemd has made for the service.
func controlPath(path string) string {
	if path == "off" {
		return ""
	}
	if dir, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":"); path == "" && dir != "" {
		return filepath.Join(dir, "rota.sock")
	}
	return path
}

// exitStatus returns the exit status of a master whose Run returned err. If a worker could
// not start, it is the worker's status: 128 plus the signal, as in a shell, if a signal
// has killed the worker.
func exitStatus(err error) int {
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

// logger returns the logger of the master, with the level of the environment, and a queue before it: neither the handling of
// signals nor the end of the process waits for a log that nobody reads.
func logger(cfg master.Config) *slog.Logger {
	return logqueue.New(logline.From(os.Getenv(settings.LogVariable), logline.Logger(cfg.Logger)))
}
