// Bench measures what a reload costs: it runs servers in turn on this machine, under
// load, reloads each repeatedly, and counts every request without a complete
// answer. Its client never retries.
//
//	go run .              all servers and shapes, 20 reloads each: about 15 minutes
//	go run . -quick       5 reloads each: about 4 minutes
//	go run . -cost        what rota costs without any reload, in turn with net.Listen
//	go run . -h           all flags
//
// It writes a table and a plot to ../docs/performance.md and ../docs/performance.svg.
// Servers that are not installed (nginx, haproxy, node) are left out. All traffic is
// on 127.0.0.1.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	o := options{}
	flag.DurationVar(&o.interval, "interval", 500*time.Millisecond, "time from one reload to the next")
	flag.IntVar(&o.reloads, "reloads", 20, "reloads of each server in each shape")
	flag.IntVar(&o.requests, "requests", 0, "continue, with reloads, until a shape has had this many requests")
	flag.DurationVar(&o.quiet, "quiet", 4*time.Second, "time under load without reloads, half of it before them and half after")
	flag.StringVar(&o.shapes, "shapes", "", "letters, all of "+letters()+" if empty")
	flag.StringVar(&o.servers, "servers", "", "names with commas between, all that can be run if empty")
	flag.IntVar(&o.runs, "runs", 1, "runs in a row; stops at the first in which rota failed a request")
	flag.BoolVar(&o.strict, "strict", false, "exit with status 1 if a row of rota has failed requests")
	flag.StringVar(&o.out, "out", "../docs/performance.md", "file with the markers to write between; empty for none")
	quick := flag.Bool("quick", false, "-reloads 5 -quiet 1s")
	cost := flag.Bool("cost", false, "compare requests a second without reloads instead")
	flag.Parse()
	if *quick {
		o.reloads, o.quiet = 5, time.Second
	}
	run := o.run
	if *cost {
		run = o.cost
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
