//go:build linux

package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/master"
)

const (
	helperEnv = "ROTA_E2E"        // the helper that this process is
	configEnv = "ROTA_E2E_CONFIG" // the master's configuration, as JSON
	flagsEnv  = "ROTA_E2E_FLAGS"  // what the helper reads, for a test's own use
)

// helpers are the programs that the test binary can be.
var helpers = map[string]func(){}

// tests are those of this package, for a helper that runs some.
var tests *testing.M

// TestMain is the main of all processes here. The tests that mostly wait run at the same
// time, after the others: those that measure, make a load that must have the machine, or
// look at what this process has open, run alone.
func TestMain(m *testing.M) {
	tests = m
	name := os.Getenv(helperEnv)
	if name == "" {
		_ = flag.Set("test.parallel", "4") // unless the command line says otherwise
		os.Exit(m.Run())
	}
	run := helpers[name]
	if run == nil {
		fmt.Fprintf(os.Stderr, "no helper %q\n", name)
		os.Exit(2)
	}
	setup()
	run()
	os.Exit(0) // main returns
}

// setup reads the master's configuration from the environment.
func setup() {
	var cfg master.Config
	if s := os.Getenv(configEnv); s != "" {
		if err := json.Unmarshal([]byte(s), &cfg); err != nil {
			panic(err)
		}
	}
	if err := rota.Setup(cfg); err != nil {
		panic(err)
	}
}
