package main

import (
	"errors"
	"flag"
	"time"

	"github.com/rota-go/rota/internal/control"
)

// trialFlags adds the flags of a reload that say how the release is tried.
func (c *call) trialFlags(fs *flag.FlagSet) {
	fs.IntVar(&c.request.Canary, "canary", 0, "try `N` workers of the new release first")
	fs.Func("for", "`D` such as 5m: how long they are tried", func(text string) error {
		d, err := time.ParseDuration(text)
		c.request.For = int64(d)
		return err
	})
}

// checkTrial checks those of these flags that are set.
func (c *call) checkTrial(fs *flag.FlagSet) error {
	err := checkNone(c, fs)
	fs.Visit(func(f *flag.Flag) {
		switch {
		case f.Name == "canary" && (c.request.Canary < 1 || c.request.Canary > control.MaxWorkers):
			err = errors.New("reload: -canary: want a number of workers, 1 or more")
		case f.Name == "for" && c.request.For <= 0:
			err = errors.New("reload: -for: want a time such as 5m")
		case f.Name == "for" && c.request.Canary == 0:
			err = errors.New("reload: -for is the time of canaries: want -canary too")
		}
	})
	return err
}
