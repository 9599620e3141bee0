package rota

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/master"
)

// Under go test Listen is net.Listen; on a platform without support it always is.
func TestListenIsNetListen(t *testing.T) {
	ln, err := Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, ok := ln.(*net.TCPListener); !ok {
		t.Errorf("Listen gives a %T, want *net.TCPListener", ln)
	}
	if Track(ln) != ln {
		t.Error("Track wraps a listener in a process that is not a worker")
	}
	if !IsMaster() || IsWorker() {
		t.Error("this process is not a worker")
	}
}

// A test of a main function may replace flag.CommandLine.
func TestOtherFlags(t *testing.T) {
	defer func(old *flag.FlagSet) { flag.CommandLine = old }(flag.CommandLine)
	flag.CommandLine = flag.NewFlagSet("main", flag.ContinueOnError)
	if got := role(); got != rolePlain {
		t.Errorf("role %d, want plain", got)
	}
}

func TestListenErrorsAreNets(t *testing.T) {
	for _, args := range [][2]string{{"tcp", "nonsense"}, {"nosuch", ":0"}, {"tcp", "127.0.0.1:99999"}} {
		_, want := net.Listen(args[0], args[1])
		if _, got := Listen(args[0], args[1]); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("Listen(%q): %v, want %v", args, got, want)
		}
	}
}

func TestPlatformWithoutSupport(t *testing.T) {
	if link.Supported {
		t.Skip("this platform is supported")
	}
	if _, err := master.New(master.Config{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("master.New: %v, want errors.ErrUnsupported", err)
	}
}

// An invalid value is an error of Setup and of Listen. In a process without a master Setup
// may be called again.
func TestSetup(t *testing.T) {
	defer func() { theMaster.cfg = master.Config{} }()
	ln, err := Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var config *master.ConfigError
	if err := Setup(master.Config{Workers: -1}); !errors.As(err, &config) || config.Field != "Workers" || config.Value != -1 {
		t.Errorf("Workers -1: %v, want a ConfigError that names it", err)
	}
	if _, err := masterConfig(); !errors.As(err, &config) {
		t.Errorf("the error was ignored, and the master starts: %v", err)
	}
	if err := Setup(master.Config{Workers: 2}); err != nil {
		t.Error(err)
	}
}

// In a master and its workers Setup fails after Listen.
func TestSetupAfterListen(t *testing.T) {
	defer func() { theMaster.listening = false }()
	markListening()
	if err := Setup(master.Config{}); !errors.Is(err, master.ErrRunning) {
		t.Errorf("%v, want ErrRunning", err)
	}
}

// The environment sets what Setup has left zero. A wrong value is an error, also of a variable
// that Setup overrides.
func TestEnvironment(t *testing.T) {
	defer func() { theMaster.cfg = master.Config{} }()
	t.Setenv("ROTA_WORKERS", "3")
	t.Setenv("ROTA_GRACE", "none")
	t.Setenv("ROTA_STOP_GRACE", "10s")
	t.Setenv("ROTA_MAX_MEMORY", "512MiB")
	theMaster.cfg = master.Config{StopGrace: time.Minute}
	want := master.Config{Workers: 3, Grace: master.AtOnce, StopGrace: time.Minute, MaxMemory: 512 << 20}
	if got, err := masterConfig(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for variable, value := range map[string]string{"ROTA_STOP_GRACE": "10", "ROTA": "of", "ROTA_WORKERS": "many"} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			var config *master.ConfigError
			if _, err := masterConfig(); !errors.As(err, &config) || config.Field != variable || config.Value != value {
				t.Errorf("%v, want a ConfigError that names %s=%s", err, variable, value)
			}
		})
	}
}

// A wrong value of ROTA is an error of Listen, where Listen would be net.Listen too.
func TestWrongMode(t *testing.T) {
	t.Setenv("ROTA", "of")
	if ln, err := Listen("tcp", "127.0.0.1:0"); err == nil {
		ln.Close()
		t.Error("Listen has ignored ROTA=of")
	}
	if got, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		defer got.Close()
		if Track(got) != got {
			t.Error("Track has changed the listener")
		}
	}
}

func TestStatusOf(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("any"), 1},
		{&master.StartError{Exit: master.Exit{Code: 7}}, 7},
		{&master.StartError{Exit: master.Exit{Code: 0}}, 0},
		{&master.StartError{Exit: master.Exit{Signal: syscall.SIGKILL}}, 137},
		{&master.StartError{Exit: master.Exit{Err: errors.New("no such file")}}, 1},
		{fmt.Errorf("run: %w", &master.StartError{Exit: master.Exit{Code: 3}}), 3},
	} {
		if got := exitStatus(tc.err); got != tc.want {
			t.Errorf("%v: status %d, want %d", tc.err, got, tc.want)
		}
	}
}
