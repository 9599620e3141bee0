package userfunc

import (
	"bytes"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
)

var errTest = errors.New("test")

func TestCall(t *testing.T) {
	for name, tt := range map[string]struct {
		f    func() error
		want string // the error; empty for none
		log  bool   // whether something is logged
	}{
		"returns nil":        {f: func() error { return nil }},
		"returns an error":   {f: func() error { return errTest }, want: "test"},
		"panics":             {f: func() error { panic("no") }, want: "Config.F panicked: no", log: true},
		"ends its goroutine": {f: func() error { runtime.Goexit(); return nil }, want: "Config.F has not returned"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			got := ""
			if err := Call("Config.F", slog.New(slog.NewTextHandler(&log, nil)), tt.f); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
			if logged := strings.Contains(log.String(), "function=Config.F"); logged != tt.log {
				t.Errorf("the log is %q, want a panic: %v", log.String(), tt.log)
			}
		})
	}
}
