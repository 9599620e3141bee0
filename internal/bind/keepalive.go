package bind

import (
	"net"
	"syscall"
	"time"
)

// KeepAlive returns cfg with ln's own settings, the system's, in place of negative values.
// A negative value in cfg means that the setting is left alone. A listener that package
// net has made of a descriptor doesn't know that, and would set net's defaults on every
// connection.
func KeepAlive(ln net.Listener, cfg net.KeepAliveConfig) net.KeepAliveConfig {
	sc, ok := ln.(syscall.Conn)
	if !ok || !cfg.Enable || cfg.Idle >= 0 && cfg.Interval >= 0 && cfg.Count >= 0 {
		return cfg
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return cfg
	}
	_ = raw.Control(func(fd uintptr) { cfg = fillKeepAlive(int(fd), cfg) }) // an error: ln is closed, and cfg won't be used
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
