package listentest

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path"
	"slices"
	"strings"
)

// A testCase is one promise and the function that checks it.
type testCase struct {
	name string
	says string // the source of the promise, a colon, and the sentence enforced
	nets string // the networks it applies to, separated by spaces; empty means all
	run  func(*trial)
}

// A group is the cases of one network.
type group struct {
	name  string
	cases []testCase
	probe func() error // returns the error of package net for this network, if any
}

const (
	streamNets = "tcp tcp4 tcp6 unix unixpacket"
	packetNets = "udp udp4 udp6 unixgram"
	tcpNets    = "tcp tcp4 tcp6"
	udpNets    = "udp udp4 udp6"
	byteNets   = "tcp tcp4 tcp6 unix" // the networks without message boundaries
)

// errorsGroup is the group of the cases with arguments that every network rejects.
const errorsGroup = "errors"

func (s suite) groups() []group {
	var groups []group
	if s.listen != nil {
		cases := slices.Concat(addrCases, acceptCases, closeCases, keptCases, deadlineCases, connCases,
			connCloseCases, connDeadlineCases, copyCases, socketCases, serveCases, bindCases, nettestCases)
		groups = append(groups, byNetwork(streamNets, cases, probeStream)...)
		groups = append(groups, group{errorsGroup, errorCases, nothingToProbe})
	}
	if s.listenPacket != nil {
		cases := slices.Concat(packetCases, packetCloseCases, packetDeadlineCases, packetBindCases)
		groups = append(groups, byNetwork(packetNets, cases, probePacket)...)
		groups = append(groups, group{"packet" + errorsGroup, packetErrorCases, nothingToProbe})
	}
	return groups
}

func byNetwork(networks string, cases []testCase, probe func(string) error) []group {
	var groups []group
	for _, network := range strings.Fields(networks) {
		g := group{name: network, probe: func() error { return probe(network) }}
		for _, c := range cases {
			if c.nets == "" || slices.Contains(strings.Fields(c.nets), network) {
				g.cases = append(g.cases, c)
			}
		}
		groups = append(groups, g)
	}
	return groups
}

// chosen returns the cases of g that Only selects.
func (s suite) chosen(g group) []testCase {
	return slices.DeleteFunc(slices.Clone(g.cases), func(c testCase) bool {
		return s.Only != "" && !matches(s.Only, g.name+"/"+c.name)
	})
}

func (s suite) skip(name string) (reason string, skip bool) {
	for pattern, reason := range s.Skip {
		if matches(pattern, name) {
			return reason, true
		}
	}
	return "", false
}

// complaints returns an error text for each pattern that matches no case.
func (s suite) complaints(groups []group) []string {
	var out []string
	patterns := slices.Sorted(maps.Keys(s.Skip))
	if s.Only != "" {
		patterns = append(patterns, s.Only)
	}
	for _, pattern := range patterns {
		if !slices.ContainsFunc(groups, func(g group) bool { return g.has(pattern) }) {
			out = append(out, fmt.Sprintf("the pattern %q matches no case", pattern))
		}
	}
	return out
}

func (g group) has(pattern string) bool {
	return slices.ContainsFunc(g.cases, func(c testCase) bool { return matches(pattern, g.name+"/"+c.name) })
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func nothingToProbe() error { return nil }

func probeStream(network string) error {
	return probing(network, func(address string) error {
		ln, err := net.Listen(network, address)
		if err == nil {
			err = ln.Close()
		}
		return err
	})
}

func probePacket(network string) error {
	return probing(network, func(address string) error {
		pc, err := net.ListenPacket(network, address)
		if err == nil {
			err = pc.Close()
		}
		return err
	})
}

func probing(network string, try func(address string) error) error {
	dir, err := os.MkdirTemp("", "lt")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return try(anyAddress(network, dir))
}
