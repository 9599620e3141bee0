package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The environment variables of cluster.js.
const (
	addrEnv = "BENCH_ADDR"
	certEnv = "BENCH_CERT" // empty: no TLS
	bigEnv  = "BENCH_BIG"
)

// servers are the rows.
var servers = []server{
	{name: "rota", does: "abcdfg", command: goServer("rota"), reload: reloadBy(syscall.SIGHUP)},
	{name: "rota+rotahttp", does: "abcdefg", command: goServer("rotahttp"), reload: reloadBy(syscall.SIGHUP)},
	{name: "tableflip+Shutdown", does: "abcdefg", command: goServer("tableflip"), reload: reloadBy(syscall.SIGHUP), pid: inPIDFile},
	{name: "nginx", does: "abcdeg", present: installed("nginx"), command: nginx, reload: reloadBy(syscall.SIGHUP)},
	{name: "haproxy", does: "abcde", present: installed("haproxy"), command: haproxy, reload: reloadBy(syscall.SIGUSR2)},
	{name: "node-cluster", does: "abcdefg", present: installed("node"), command: node, reload: reloadBy(syscall.SIGHUP)},
	{name: "net.Listen", does: "abcdefg", command: goServer("plain")},
	{name: "net.Listen+start", does: "abcdefg", command: goServer("plain"), reload: startBeside},
}

// goServer runs the program of directory server.
func goServer(as string) func(*process) (*exec.Cmd, error) {
	return func(p *process) (*exec.Cmd, error) {
		args := []string{"-as", as, "-addr", p.addr, "-big", bigFile(p.dir), "-pidfile", filepath.Join(p.dir, "pid"), "-trial", p.trial.String()}
		if p.shape.tls {
			args = append(args, "-cert", certFile(p.dir))
		}
		return exec.Command(serverFile(p.dir), args...), nil
	}
}

// inPIDFile returns the pid in the pid file.
func inPIDFile(p *process) int {
	for range 100 {
		b, _ := os.ReadFile(filepath.Join(p.dir, "pid"))
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	return p.cmd.Process.Pid
}

const nginxConf = `
daemon off; user root; worker_processes 2; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; client_max_body_size 1g; sendfile on;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server {
    listen %[2]s %[3]s; ssl_certificate %[4]s; ssl_certificate_key %[4]s;
    location / { add_header X-Pid $pid; default_type text/plain; return 200 "hello\n"; }
    location /big { root %[5]s; }
    location /put { root %[1]s; dav_methods PUT; add_header X-Pid $pid; }
  }
}
`

func nginx(p *process) (*exec.Cmd, error) {
	how := ""
	if p.shape.tls {
		how = "ssl http2"
	}
	conf := fmt.Sprintf(nginxConf, p.dir, p.addr, how, certFile(p.dir), filepath.Dir(bigFile(p.dir)))
	return exec.Command("nginx", "-p", p.dir, "-c", filepath.Join(p.dir, "conf")), p.config(conf)
}

const haproxyConf = `
global
  nbthread 2
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  timeout http-keep-alive 60s
frontend f
  bind %s %s
  option http-buffer-request
  http-request return status 200 content-type text/plain hdr X-Pid %%pid lf-string "hello\n"
`

func haproxy(p *process) (*exec.Cmd, error) {
	how := ""
	if p.shape.tls {
		how = "ssl crt " + certFile(p.dir) + " alpn h2"
	}
	return exec.Command("haproxy", "-W", "-f", filepath.Join(p.dir, "conf")), p.config(fmt.Sprintf(haproxyConf, p.addr, how))
}

//go:embed cluster.js
var clusterJS string

func node(p *process) (*exec.Cmd, error) {
	cmd := exec.Command("node", filepath.Join(p.dir, "conf"))
	cmd.Env = append(os.Environ(), addrEnv+"="+p.addr, bigEnv+"="+bigFile(p.dir))
	if p.shape.tls {
		cmd.Env = append(cmd.Env, certEnv+"="+certFile(p.dir))
	}
	return cmd, p.config(clusterJS)
}

// config writes a server's configuration, or program.
func (p *process) config(text string) error {
	return os.WriteFile(filepath.Join(p.dir, "conf"), []byte(text), 0o644)
}
