package main

import (
	"fmt"
	"os"
	"slices"
	"time"
)

const (
	costRounds = 40
	costTime   = 500 * time.Millisecond // of each server in each round
)

// cost compares the servers that use rota with net.Listen, without reloads. All run at the
// same time and get load in turn, briefly and in every order, so that other work of the
// machine affects all alike.
func (o options) cost() error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := prepare(dir); err != nil {
		return err
	}
	for _, letter := range []string{"a", "b"} {
		if err := compare(dir, shapes[letter[0]-'a']); err != nil {
			return err
		}
	}
	return nil
}

func compare(dir string, shape shape) error {
	names := []string{"net.Listen", "rota", "rota+rotahttp"}
	var procs []*process
	for _, name := range names {
		p, err := start(dir, named(name), shape, 0)
		if err != nil {
			return err
		}
		defer p.stop()
		procs = append(procs, p)
	}
	rates := make([][]float64, len(procs))
	for round := range costRounds {
		for i := range procs {
			i = (i + round) % len(procs)
			rates[i] = append(rates[i], rateOf(procs[i], shape))
		}
		fmt.Print(".")
	}
	fmt.Println()
	for i, name := range names {
		fmt.Printf("(%s) %-14s %8.0f/s  %.3fx of net.Listen (median of %d rounds)\n", shape.letter, name,
			median(rates[i]), median(ratios(rates[i], rates[0])), costRounds)
	}
	return nil
}

func named(name string) server {
	return servers[slices.IndexFunc(servers, func(s server) bool { return s.name == name })]
}

func rateOf(p *process, shape shape) float64 {
	l := newLoad(p, shape)
	l.start()
	time.Sleep(costTime / 5)
	s := spans{l.during(func() { time.Sleep(costTime) })}
	l.stop()
	return s.rate(l.samples())
}

func ratios(a, b []float64) []float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return r
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
