package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// options holds the flags.
type options struct {
	interval        time.Duration
	reloads         int
	requests        int
	quiet           time.Duration
	shapes, servers string
	runs            int
	strict          bool
	out             string
}

const (
	warmUp   = 700 * time.Millisecond // before the first reload
	cooldown = 700 * time.Millisecond // the load goes on for this long after the last reload
)

// trial is rota's MinUptime. Its default, a second, doesn't fit between two reloads.
func (o options) trial() time.Duration { return o.interval / 4 }

// run measures every server in every shape, and reports.
func (o options) run() error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := prepare(dir); err != nil {
		return err
	}
	began := time.Now()
	var all []result
	for run := range o.runs {
		results := o.round(dir, fmt.Sprintf("run %d of %d: ", run+1, o.runs))
		all = merge(all, results)
		if o.strict && lost(results) {
			break
		}
	}
	fmt.Printf("\n%s\n", table(all))
	if o.out != "" {
		if err := o.write(all, time.Since(began)); err != nil {
			return err
		}
	}
	if o.strict && lost(all) {
		return errors.New("a row of rota has failed requests")
	}
	return nil
}

// round measures everything once.
func (o options) round(dir, progress string) (results []result) {
	for _, shape := range shapes {
		if o.shapes != "" && !strings.Contains(o.shapes, shape.letter) {
			continue
		}
		for _, server := range servers {
			if !o.wants(server) || !server.serves(shape) {
				continue
			}
			fmt.Printf("%s(%s) %-22s ", progress, shape.letter, server.name)
			r := o.measure(dir, server, shape)
			fmt.Println(r)
			results = append(results, r)
		}
	}
	return results
}

func (o options) wants(s server) bool {
	if o.servers == "" {
		return true
	}
	for name := range strings.SplitSeq(o.servers, ",") {
		if name == s.name {
			return true
		}
	}
	return false
}

// measure runs one server under one load: with reloads, and before and after them without.
func (o options) measure(dir string, s server, shape shape) result {
	r := result{server: s.name, shape: shape.letter}
	p, err := start(dir, s, shape, o.trial())
	if err != nil {
		r.err = err
		return r
	}
	defer p.stop()
	l := newLoad(p, shape)
	l.start()
	defer l.stop()
	time.Sleep(warmUp)
	quiet := func() span { return l.during(func() { time.Sleep(o.quiet / 2) }) }
	first := quiet()
	before := l.instances()
	r.busy = spans{l.during(func() { r.reloads = o.reload(p, l) })}
	r.instances = l.instances() - before
	time.Sleep(cooldown)
	r.quiet = spans{first, quiet()}
	l.stop()
	r.failed, r.requests, r.first = l.failed(), l.answered()+l.failed(), l.firstFailure()
	r.closed = l.closed()
	r.samples = l.samples()
	if r.compared() {
		r.rates, r.tails = []float64{r.rateRatio()}, []float64{r.tailRatio()}
	}
	return r
}

// reload reloads once an interval, and returns the times of the reloads.
func (o options) reload(p *process, l *load) (at []time.Time) {
	next := time.NewTicker(o.interval)
	defer next.Stop()
	for i := 0; i < o.reloads || l.answered() < o.requests; i++ {
		if i > 0 && i%10 == 0 {
			fmt.Print(".")
		}
		if p.server.reload != nil {
			at = append(at, time.Now())
			if err := p.server.reload(p); err != nil {
				l.fail(fmt.Errorf("reload: %w", err))
			}
		}
		<-next.C
	}
	return at
}

// lost reports whether a server that uses rota has failed a request.
func lost(results []result) bool {
	for _, r := range results {
		if strings.HasPrefix(r.server, "rota") && (r.failed > 0 || r.err != nil) {
			return true
		}
	}
	return false
}
