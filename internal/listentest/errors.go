package listentest

// Arguments that no network takes. Each is refused in net's words.
var errorCases = []testCase{
	refusal("UnknownNetwork", "foo", ":0"),
	refusal("NoNetwork", "", ":0"),
	refusal("PacketNetwork", "udp", "127.0.0.1:0"),
	refusal("NetworkInCapitals", "TCP", "127.0.0.1:0"),
	refusal("MissingPort", "tcp", "127.0.0.1"),
	refusal("NoAddress", "tcp4", "localhost"),
	refusal("UnknownPort", "tcp", "127.0.0.1:nosuchservice"),
	refusal("PortTooBig", "tcp", "127.0.0.1:65536"),
	refusal("PortNegative", "tcp", "127.0.0.1:-1"),
	refusal("TooManyColons", "tcp", "::1:80"),
	refusal("MissingBracket", "tcp", "[::1"),
	refusal("IPv6OnTCP4", "tcp4", "[::1]:0"),
	refusal("IPv4OnTCP6", "tcp6", "127.0.0.1:0"),
}

var packetErrorCases = []testCase{
	packetRefusal("UnknownNetwork", "foo", ":0"),
	packetRefusal("StreamNetwork", "tcp", "127.0.0.1:0"),
	packetRefusal("MissingPort", "udp", "127.0.0.1"),
	packetRefusal("UnknownPort", "udp", "127.0.0.1:nosuchservice"),
	packetRefusal("IPv6OnUDP4", "udp4", "[::1]:0"),
}

const saysErrorsLookLocal = "Errors look local: *net.OpError with the same text and errors.Is answers as net.Listen (docs/contract.md#sharing-8)."

func refusal(name, network, address string) testCase {
	return testCase{name, saysErrorsLookLocal, "", func(t *trial) {
		t.network = network
		t.wantListenError(address)
	}}
}

func packetRefusal(name, network, address string) testCase {
	return testCase{name, saysErrorsLookLocal, "", func(t *trial) {
		t.network = network
		t.wantPacketError(address)
	}}
}
