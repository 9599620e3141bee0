package rotahttp

import (
	"crypto/tls"
	"net/http"
)

// shareTickets has srv make session tickets that every worker accepts, unless the program
// has chosen what makes its tickets.
func shareTickets(srv *http.Server, w worker) {
	attachMu.Lock()
	defer attachMu.Unlock()
	cfg := &tls.Config{}
	if srv.TLSConfig != nil {
		cfg = srv.TLSConfig.Clone()
	}
	//lint:ignore SA1019 a program that still sets it must keep its key
	chosen := cfg.SessionTicketKey != [32]byte{} || cfg.WrapSession != nil || cfg.UnwrapSession != nil
	if chosen || cfg.SessionTicketsDisabled {
		return
	}
	// http.Server works with a copy of its TLSConfig, which later keys would not reach.
	keys := &tls.Config{}
	w.OnTicketKeys(keys.SetSessionTicketKeys)
	cfg.WrapSession, cfg.UnwrapSession = keys.EncryptTicket, keys.DecryptTicket
	srv.TLSConfig = cfg
}
