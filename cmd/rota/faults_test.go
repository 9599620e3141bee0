//go:build linux

package main

import (
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// What a worker that serves says is wrong with it is logged and shown, and has no other effect.
func TestFault(t *testing.T) {
	s := start(t, nil)
	s.release.Write("reports")
	s.rota(done, "scale", "3")
	s.WaitLog(e2etest.WorkerReports, 1)
	out, _ := s.rota(done, "status")
	contains(t, out, "worker 3: says that it is not well: "+server.Reported)
	if st := s.status(); len(st.Workers) != 3 || st.Phase != "serving" {
		t.Errorf("%+v", st)
	}
}
