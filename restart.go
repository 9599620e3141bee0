package rota

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"strconv"
	"syscall"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/hangup"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/logqueue"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/sigaction"
	"github.com/rota-go/rota/master"
)

// A process that becomes the master has run main up to the first Listen, and what main has
// begun by then would go on in the master: goroutines, signal handlers, servers, locks,
// memory. So the process executes its program again, as it was started, marked so that
// this package makes it the master while packages are initialised: main doesn't run in it.
// docs/decisions/0021 says why.

// orders are what the process that has run main tells the master, in the value of
// link.EnvMaster.
type orders struct {
	PID    int                        `json:"pid"`            // of both: exec keeps it
	Exec   string                     `json:"exec,omitempty"` // the executable's path
	Config map[string]json.RawMessage `json:"config,omitempty"`
	Files  []int                      `json:"files,omitempty"`  // Config.ExtraFiles, by descriptor
	Log    string                     `json:"log,omitempty"`    // the kind of slog.Default's handler
	Level  slog.Level                 `json:"level,omitempty"`  // the least that it logs
	Hangup bool                       `json:"hangup,omitempty"` // SIGHUP has come
	Nohup  bool                       `json:"nohup,omitempty"`  // SIGHUP was ignored at the start
}

func init() {
	value, ok := os.LookupEnv(link.EnvMaster)
	if !ok || link.IsWorker() {
		return
	}
	_ = os.Unsetenv(link.EnvMaster)
	o, ok := parseOrders(value)
	if !ok {
		hangup.GiveBack()
		return
	}
	process.Restarted(o.Exec)
	hangup.Restarted(o.Hangup, o.Nohup)
	os.Exit(o.obey())
}

// parseOrders reports whether value is orders for this process. One under secure execution is never
// made a master, and the variable not by rota.
func parseOrders(value string) (o orders, ok bool) {
	err := json.Unmarshal([]byte(value), &o)
	return o, err == nil && o.PID == os.Getpid() && !link.Secure()
}

// obey is the life of a master that doesn't run main. It returns its exit status.
func (o orders) obey() int {
	o.setLogger()
	cfg, err := o.config()
	cfg.Logger = logger(cfg)
	defer logqueue.Flush(cfg.Logger, logTimeout)
	if err == nil {
		var m *master.Master
		runtime.GOMAXPROCS(min(runtime.GOMAXPROCS(0), processorsOfMaster(process.Processors())))
		if m, err = master.New(cfg); err == nil {
			return runMaster(m, cfg)
		}
	}
	cfg.Logger.Error("rota: master ends", "err", err)
	return 1
}

// processorsOfMaster returns how many of the processors a master that doesn't run main uses at a time: a quarter,
// so that it is in nobody's way, and four at most, so that the number of its threads doesn't grow with the machine.
func processorsOfMaster(all int) int { return min(max(all/4, 1), 4) }

// restartAsMaster executes the program again as the master, and returns only if that is
// not possible. cfg is complete; functions says that main has passed some to OnMaster.
func restartAsMaster(cfg master.Config, functions bool) error {
	o, err := ordersOf(cfg)
	if err != nil {
		return err
	}
	if functions {
		return fmt.Errorf("OnMaster: %w", errNeedsMain)
	}
	signal.Reset(mains()...)
	came, undo := hangup.Pass(harmless())
	defer undo()
	defer sigaction.Default(endings())()
	o.Hangup, o.Nohup = came, hangup.Ignored()
	value, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return process.Restart([]string{link.EnvMaster + "=" + string(value)}, cfg.ExtraFiles)
}

// mains returns the signals for which main's choice is not the master's: those that end a
// program, which main may handle, and those that main ignores, which exec would keep.
func mains() []os.Signal {
	all := endings()
	for n := range syscall.Signal(65) {
		if signal.Ignored(n) {
			all = append(all, n)
		}
	}
	return all
}

// errNeedsMain says that a configuration can't be given to another program image.
var errNeedsMain = errors.New("it is a function, or has one")

// ordersOf returns the orders for a master with this configuration. It fails if a field of
// cfg is of use only in the process that runs main: a function, or a Logger.
func ordersOf(cfg master.Config) (orders, error) {
	o := orders{PID: os.Getpid(), Exec: process.Started().Exec, Config: map[string]json.RawMessage{}}
	if cfg.RunMain {
		return o, errors.New("RunMain is set in the configuration")
	}
	v := reflect.ValueOf(cfg)
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		if value.IsZero() || field.Name == "ExtraFiles" {
			continue
		}
		if kind := value.Kind(); kind == reflect.Func || kind == reflect.Pointer || kind == reflect.Interface {
			return o, fmt.Errorf("field %s: %w", field.Name, errNeedsMain)
		}
		text, err := json.Marshal(value.Interface())
		if err != nil {
			return o, fmt.Errorf("field %s: %w", field.Name, err)
		}
		o.Config[field.Name] = text
	}
	var err error
	o.Files, err = descriptorsOf(cfg.ExtraFiles)
	o.Log, o.Level = handlerKind(slog.Default().Handler())
	return o, err
}

func descriptorsOf(files []*os.File) (all []int, err error) {
	for i, f := range files {
		raw, err := f.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { all = append(all, int(fd)) })
		}
		if err != nil {
			return nil, fmt.Errorf("field ExtraFiles[%d]: %w", i, err)
		}
	}
	return all, nil
}

// config returns the configuration in o.
func (o orders) config() (cfg master.Config, err error) {
	v := reflect.ValueOf(&cfg).Elem()
	for name, text := range o.Config {
		field := v.FieldByName(name)
		if !field.IsValid() {
			return cfg, fmt.Errorf("%s: Config has no field %s", link.EnvMaster, strconv.Quote(name))
		}
		if err := json.Unmarshal(text, field.Addr().Interface()); err != nil {
			return cfg, fmt.Errorf("%s: Config.%s: %w", link.EnvMaster, name, err)
		}
	}
	for _, n := range o.Files {
		descriptor.CloseOnExec(n)
		cfg.ExtraFiles = append(cfg.ExtraFiles, os.NewFile(uintptr(n), "extra file"))
	}
	return cfg, nil
}

// handlerKind returns what the master needs to log like the program: the kind of its
// handler if it is one of package slog's, and the least level that it logs.
func handlerKind(h slog.Handler) (kind string, level slog.Level) {
	switch h.(type) {
	case *slog.JSONHandler:
		kind = "json"
	case *slog.TextHandler:
		kind = "text"
	}
	level = slog.LevelError
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if h.Enabled(context.Background(), l) {
			return kind, l
		}
	}
	return kind, level
}

// setLogger makes slog.Default log to standard error as the program does.
func (o orders) setLogger() {
	options := &slog.HandlerOptions{Level: o.Level}
	switch o.Log {
	case "json":
		slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, options)))
	case "text":
		slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, options)))
	default:
		slog.SetLogLoggerLevel(o.Level)
	}
}
