//go:build linux

package limits

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// What a program pays that replaces processes one by one and does nothing else: it starts one as rota does,
// waits for a byte of it, tells the old one to end, and waits for that. rota's figure can't be lower.

// child is a process of bare.
type child struct {
	*exec.Cmd
	stdin io.Closer
}

// startChild returns when the process has written its byte.
func startChild() (child, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), e2etest.HelperEnv+"="+"idle")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return child{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return child{}, err
	}
	if err := cmd.Start(); err != nil {
		return child{}, err
	}
	_, err = io.ReadFull(out, make([]byte, 1))
	return child{cmd, in}, err
}

// idle writes a byte, and ends when its input does.
func idle() {
	_, _ = os.Stdout.Write([]byte{1})
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// bare keeps as many processes as the flags say, and replaces them at SIGHUP.
func bare() {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	n, _ := strconv.Atoi(os.Getenv(e2etest.FlagsEnv))
	all := make([]child, n)
	for {
		for i, old := range all {
			c, err := startChild()
			if err != nil {
				log.Fatal(err)
			}
			if all[i] = c; old.Cmd != nil {
				_ = old.stdin.Close()
				_ = old.Wait()
			}
		}
		log.Print(e2etest.ReloadDone)
		<-hup
	}
}

// replaced returns the processor time of bare for replacing n processes, the median of three.
func replaced(b *testing.B, n int) time.Duration {
	p := e2etest.Launch(b, "bare", server.Quick(1), e2etest.FlagsEnv+"="+strconv.Itoa(n), "GOMAXPROCS=1")
	var all []float64
	for i := range 4 {
		before := e2etest.CPUTime(p.PID())
		if i > 0 {
			p.Signal(syscall.SIGHUP)
		}
		await(b, p, e2etest.ReloadDone, i+1)
		if i > 0 { // the first was the start
			all = append(all, float64(e2etest.CPUTime(p.PID())-before))
		}
	}
	p.Signal(syscall.SIGKILL) // the processes read EOF, and end
	<-p.Ended
	return time.Duration(e2etest.Median(all))
}

// BenchmarkGrowthFloor is BenchmarkGrowthWorkers, each size beside the least that it can cost.
func BenchmarkGrowthFloor(b *testing.B) {
	for _, n := range sizes(16, 64, 128, 256, 512) {
		least, rota := replaced(b, n), reloads(b, n, 1)
		each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(n) }
		fmt.Printf("%5d workers: %6.0f µs each, of which %6.0f for the bare processes\n", n, each(rota), each(least))
		b.ReportMetric(each(rota), fmt.Sprintf("µs/worker-of-%d", n))
		b.ReportMetric(each(least), fmt.Sprintf("µs/bare-of-%d", n))
	}
}
