package rota_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// size is the bounds of a package: someone reads it in an evening.
type size struct {
	lines int // of the files that are no tests
	files int // that are no tests
	tests int // test files
}

// normal and endToEnd are the bounds of all packages that larger doesn't list.
var (
	normal   = size{lines: 2500, files: 20, tests: 30}
	endToEnd = size{lines: 2500, files: 20, tests: 20} // e2e and what is below it
)

// larger are the packages that are over a bound today. The list may only shrink: lower
// a number when the package does, and delete the line when it is within the bounds.
var larger = map[string]size{
	"internal/sockets":    {lines: 2790, files: 20, tests: 30}, // what a master that died leaves, what comes during a bind, and the queues of slots
	"internal/workerproc": {lines: 2620, files: 21, tests: 30}, // the counters, the help for other slots, and connections that move while the worker stays
	"master":              {lines: 3050, files: 22, tests: 30}, // the API with its comments, the loop, and pauses, trials and drains by hand
}

// checkSizes finds packages that are over their bounds, and exceptions that are no longer
// needed.
func checkSizes(h tree, exceptions map[string]size) (bad []string) {
	all := h.packages()
	for _, dir := range slices.Sorted(maps.Keys(all)) {
		got, bound := measure(all[dir]), boundOf(dir)
		allowed, listed := exceptions[dir]
		switch {
		case listed && got.within(bound):
			bad = append(bad, fmt.Sprintf("%s: is within the bounds now: delete its line from larger in sizes_test.go", dir))
		case listed && !got.within(allowed):
			bad = append(bad, fmt.Sprintf("%s: has grown to %v, over its exception of %v: split the package", dir, got, allowed))
		case !listed && !got.within(bound):
			bad = append(bad, fmt.Sprintf("%s: has %v, the bound is %v: split the package by its nouns", dir, got, bound))
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(exceptions)) {
		if all[dir] == nil {
			bad = append(bad, dir+": does not exist: delete its line from larger in sizes_test.go")
		}
	}
	return bad
}

func boundOf(dir string) size {
	if dir == "e2e" || strings.HasPrefix(dir, "e2e/") {
		return endToEnd
	}
	return normal
}

func measure(files []source) (got size) {
	for _, s := range files {
		if s.test() {
			got.tests++
		} else {
			got.files++
			got.lines += bytes.Count(s.text, []byte("\n"))
		}
	}
	return got
}

func (s size) within(b size) bool {
	return s.lines <= b.lines && s.files <= b.files && s.tests <= b.tests
}

func (s size) String() string {
	return fmt.Sprintf("%d lines in %d files and %d test files", s.lines, s.files, s.tests)
}
