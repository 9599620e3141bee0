package main

import (
	"bytes"
	"syscall"
	"testing"
)

func TestParseRun(t *testing.T) {
	o, err := parseRun([]string{"-b", ":80", "-b", "unix:/run/x", "-n", "3", "-signal", "quit", "-ready", "2s", "--", "node", "-x"})
	if err != nil || len(o.Bind) != 2 || o.Workers != 3 || o.Leave != syscall.SIGQUIT || len(o.Command) != 2 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{
		{}, {"--", "x"}, {"-b", ":80"}, {"-b", ":80", "-n", "-1", "x"}, {"-b", ":80", "-ready", "soon", "x"},
		{"-b", ":80", "-ready", "-1s", "x"}, {"-b", ":80", "-signal", "BYE", "x"}, {"-b", ":80", "-signal", "99", "x"}, {"-x"},
	} {
		var out, errs bytes.Buffer
		if got := runProgram(&call{stdout: &out, stderr: &errs}, args); got != usage || errs.Len() == 0 {
			t.Errorf("%q: exit status %d, %q", args, got, &errs)
		}
	}
	var out, errs bytes.Buffer
	if got := runProgram(&call{stdout: &out, stderr: &errs}, []string{"-help"}); got != done || out.Len() == 0 {
		t.Errorf("-help: exit status %d", got)
	}
}
