package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/rota-go/rota/cmd/rota/internal/dev"
	"github.com/rota-go/rota/internal/hangup"
)

// devRow is the row of "rota dev".
func devRow() command {
	return command{name: "dev", argument: "PACKAGE [argument]...", short: "build a program at each save, and reload it",
		long: `PACKAGE is a main package that uses rota.Listen, as go build takes it: ./cmd/app. What the compiler says is printed, and the version
before serves on. While a new version is built and started, requests wait. One worker, and short times, unless ROTA_WORKERS, ROTA_MIN_UPTIME and so on are set.`,
		flags: func(fs *flag.FlagSet, _ *call) { devFlags(fs, &dev.Options{}) }, run: runDev}
}

// devFlags adds the flags of "rota dev", which set o.
func devFlags(fs *flag.FlagSet, o *dev.Options) {
	fs.BoolVar(&o.Hold, "hold", true, "requests wait for the new version, as the workers are stopped; -hold=false: those of the version before answer meanwhile")
	fs.DurationVar(&o.Quiet, "quiet", 100*time.Millisecond, "`D` such as 1s: how long nothing may change before it is built")
	fs.Func("build", "`FLAGS` of go build, such as -build '-race -tags x'", func(s string) error { o.Flags = strings.Fields(s); return nil })
}

// runDev is "rota dev". It returns when it is interrupted.
func runDev(c *call, args []string) int {
	var o dev.Options
	fs := flag.NewFlagSet("dev", flag.ContinueOnError)
	fs.SetOutput(c.stderr)
	fs.Usage = func() {}
	devFlags(fs, &o)
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return helpOn(c, []string{"dev"})
	case err != nil:
		return usage // it was printed
	case fs.NArg() == 0:
		return c.badUsage(errors.New("dev: no package"))
	}
	o.Package, o.Args, o.Out = fs.Arg(0), fs.Args()[1:], c.stderr
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	if hangup.Take() {
		cancel()
	}
	if err := dev.Run(ctx, o); err != nil {
		fmt.Fprintf(c.stderr, "rota: dev: %v\n", err)
		return failed
	}
	return done
}
