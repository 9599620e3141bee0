package main

import (
	"strings"
	"time"
)

// shape is a load: a column of the table.
type shape struct {
	letter, title string
	conns         int
	pause         time.Duration // between an answer and the next request
	once          bool          // one request a connection
	method, path  string
	body          int
	tls           bool // and HTTP/2, with streams on each connection
	streams       int
	rate          int // bytes a second of a transfer; 0: as fast as it goes
}

// transferSize is what shape (g) moves at a time; at its rate that lasts for four
// reloads at least.
const transferSize = 50 << 20

var shapes = []shape{
	{letter: "a", title: "keep-alive, 16 connections", conns: 16, method: "GET", path: "/"},
	{letter: "b", title: "one request a connection, 16 at a time", conns: 16, once: true, method: "GET", path: "/"},
	{letter: "c", title: "keep-alive, 64 connections, pauses of 5 ms", conns: 64, pause: 5 * time.Millisecond, method: "GET", path: "/"},
	{letter: "d", title: "POST of 1 KB, 64 connections, pauses of 1 ms", conns: 64, pause: time.Millisecond, method: "POST", path: "/", body: 1024},
	{letter: "e", title: "TLS and HTTP/2, 16 connections of 4 streams", conns: 16, streams: 4, method: "GET", path: "/", tls: true},
	{letter: "f", title: "handlers of 200 ms, 16 connections", conns: 16, method: "GET", path: "/slow"},
	{letter: "g", title: "50 MB down and up, 2 connections each, over 2 s", conns: 4, rate: 25 << 20},
}

func letters() string {
	var b strings.Builder
	for _, s := range shapes {
		b.WriteString(s.letter)
	}
	return b.String()
}
