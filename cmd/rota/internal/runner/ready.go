//go:build linux

package runner

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// interval is the time between two looks at a program that isn't ready yet.
const interval = 20 * time.Millisecond

// probeTimeout bounds one probe.
const probeTimeout = time.Second

// kind is how a program's readiness is seen.
type kind int

const (
	accepting kind = iota // it waits for connections on each socket
	notified              // it says so (sd_notify)
	after                 // it has lived for a time
	connects              // an address of its own accepts connections
	answers               // a URL answers with a status below 400
)

// Ready says when a program is ready. Its zero value: when it waits for connections on all its
// sockets, which the kernel tells.
type Ready struct {
	kind   kind
	delay  time.Duration
	target string
}

// ParseReady reads "accept", "notify", a duration, "tcp:HOST:PORT", or a URL.
func ParseReady(s string) (Ready, error) {
	switch {
	case s == "" || s == "accept":
		return Ready{}, nil
	case s == "notify":
		return Ready{kind: notified}, nil
	case strings.HasPrefix(s, "http://"):
		return Ready{kind: answers, target: s}, nil
	}
	if address, ok := strings.CutPrefix(s, "tcp:"); ok {
		return Ready{kind: connects, target: address}, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return Ready{}, fmt.Errorf("%q is none of accept, notify, a duration as 2s, tcp:HOST:PORT, http://…", s)
	}
	return Ready{kind: after, delay: d}, nil
}

// wait waits until the program is ready, and reports false if it ends before.
func (r Ready) wait(p *program) bool {
	if r.kind == notified {
		return p.notify.wait()
	}
	delay, ready := interval, r.look(p)
	if r.kind == after {
		delay, ready = r.delay, func() bool { return true }
	}
	for {
		select {
		case <-p.ended:
			return false
		case <-time.After(delay):
		}
		if ready() {
			return true
		}
	}
}

// look returns the function that looks whether the program is ready.
func (r Ready) look(p *program) func() bool {
	switch r.kind {
	case connects:
		return func() bool { return canConnect(r.target) }
	case answers:
		return func() bool { return hasAnswer(r.target) }
	}
	return func() bool { return waits(p.process.Pid, p.sockets) }
}

func canConnect(address string) bool {
	c, err := net.DialTimeout("tcp", address, probeTimeout)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func hasAnswer(url string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // without the environment's proxy, which is the program's
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode < 400
}
