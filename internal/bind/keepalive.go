package bind

import (
	"net"
	"syscall"
	"time"
)

// KeepAlive returns cfg with what the system does by itself in the place of negative
// numbers, which say to leave that alone. A listener that package net has made of a
// descriptor doesn't: it sets its own defaults on every connection.
func KeepAlive(ln net.Listener, cfg net.KeepAliveConfig) net.KeepAliveConfig {
	sc, ok := ln.(syscall.Conn)
	if !ok || !cfg.Enable || cfg.Idle >= 0 && cfg.Interval >= 0 && cfg.Count >= 0 {
		return cfg
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return cfg
	}
	_ = raw.Control(func(fd uintptr) { cfg = fillKeepAlive(int(fd), cfg) }) // closed: nobody will use it
	return cfg
}

func fillKeepAlive(fd int, cfg net.KeepAliveConfig) net.KeepAliveConfig {
	idle, interval, count := keepAliveOf(fd)
	if cfg.Idle < 0 {
		cfg.Idle = time.Duration(idle) * time.Second
	}
	if cfg.Interval < 0 {
		cfg.Interval = time.Duration(interval) * time.Second
	}
	if cfg.Count < 0 {
		cfg.Count = count
	}
	return cfg
}
