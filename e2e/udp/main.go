// Udp is a server of a UDP protocol by a library of others, with one line changed. It has a
// module of its own, so that the library's stays free of theirs.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"github.com/rota-go/rota"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

func main() {
	addr := flag.String("addr", ":5300", "address to serve on")
	server := flag.String("server", "dns", "dns, dns-udpconn, ipv4, ipv6 or quic")
	flag.Parse()
	if err := rota.Setup(master.Config{MinUptime: -1, WaitReady: *server == "dns-udpconn"}); err != nil {
		log.Fatal(err)
	}
	network := map[string]string{"ipv4": "udp4", "ipv6": "udp6"}[*server]
	if network == "" {
		network = "udp"
	}
	pc, err := rota.ListenPacket(network, *addr) // was: net.ListenPacket
	if err != nil {
		log.Fatal(err)
	}
	serve := map[string]func(net.PacketConn) error{
		"dns": serveDNS, "dns-udpconn": serveUDPConn, "ipv4": serveIPv4, "ipv6": serveIPv6, "quic": serveQUIC,
	}[*server]
	log.Fatal(serve(pc))
}

// serveDNS answers each question with the client's address, as CoreDNS's whoami does.
func serveDNS(pc net.PacketConn) error {
	dns.HandleFunc(".", func(w dns.ResponseWriter, q *dns.Msg) {
		client := w.RemoteAddr().(*net.UDPAddr) // as CoreDNS asserts
		answer := new(dns.Msg)
		answer.SetReply(q)
		answer.Answer = append(answer.Answer, &dns.TXT{
			Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET},
			Txt: []string{client.AddrPort().String()},
		})
		if err := w.WriteMsg(answer); err != nil {
			log.Print("can't answer: ", err)
		}
	})
	return (&dns.Server{PacketConn: pc}).ActivateAndServe()
}

// serveUDPConn is serveDNS with a *net.UDPConn, for a library that takes nothing else. Its reads
// are not part of the drain.
func serveUDPConn(pc net.PacketConn) error {
	file, err := pc.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return err
	}
	own, err := net.FilePacketConn(file)
	if err != nil {
		return err
	}
	_ = file.Close() // own has a duplicate
	self := worker.Self()
	self.OnDisconnect(func(context.Context) error { return own.Close() })
	if err := self.Ready(); err != nil {
		return err
	}
	err = serveDNS(own.(*net.UDPConn))
	<-self.Done()
	return err
}

// serveIPv4 echoes datagrams, and takes the address of the answer from the control message.
func serveIPv4(pc net.PacketConn) error {
	conn := ipv4.NewPacketConn(pc)
	if err := conn.SetControlMessage(ipv4.FlagDst, true); err != nil {
		return err
	}
	for m := []ipv4.Message{{Buffers: [][]byte{make([]byte, 1500)}, OOB: make([]byte, 128)}}; ; {
		if _, err := conn.ReadBatch(m, 0); err != nil {
			return err
		}
		var asked ipv4.ControlMessage
		if err := asked.Parse(m[0].OOB[:m[0].NN]); err != nil {
			return err
		}
		if _, err := conn.WriteTo(m[0].Buffers[0][:m[0].N], &ipv4.ControlMessage{Src: asked.Dst}, m[0].Addr); err != nil {
			return err
		}
	}
}

// serveIPv6 is serveIPv4 for IPv6.
func serveIPv6(pc net.PacketConn) error {
	conn := ipv6.NewPacketConn(pc)
	if err := conn.SetControlMessage(ipv6.FlagDst, true); err != nil {
		return err
	}
	for m := []ipv6.Message{{Buffers: [][]byte{make([]byte, 1500)}, OOB: make([]byte, 128)}}; ; {
		if _, err := conn.ReadBatch(m, 0); err != nil {
			return err
		}
		var asked ipv6.ControlMessage
		if err := asked.Parse(m[0].OOB[:m[0].NN]); err != nil {
			return err
		}
		if _, err := conn.WriteTo(m[0].Buffers[0][:m[0].N], &ipv6.ControlMessage{Src: asked.Dst}, m[0].Addr); err != nil {
			return err
		}
	}
}

// serveQUIC echoes one stream of each connection.
func serveQUIC(pc net.PacketConn) error {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		return err
	}
	config := &tls.Config{NextProtos: []string{"echo"}, Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: private}}}
	ln, err := quic.Listen(pc, config, nil)
	if err != nil {
		return err
	}
	for {
		conn, err := ln.Accept(context.Background())
		if err != nil {
			return err
		}
		go func() {
			if err := echo(conn); err != nil {
				log.Print("echo: ", err)
			}
		}()
	}
}

func echo(conn *quic.Conn) error {
	stream, err := conn.AcceptStream(context.Background())
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	if _, err := io.Copy(stream, stream); err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	return stream.Close()
}
