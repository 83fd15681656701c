// What the suite's pods run. As `client URL` it sends, and prints in the lines that the suite reads; else it serves.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	pb "sigs.k8s.io/gateway-api/conformance/echo-basic/grpcechoserver"
)

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	if filepath.Base(os.Args[0]) == "client" {
		os.Exit(send(os.Args[1:]))
	}
	serve()
}

func serve() {
	var ports, secure list
	flag.Var(&ports, "port", "")
	flag.Var(&secure, "tls", "")
	rpc := flag.String("grpc", "", "")
	raw := flag.String("tcp", "", "")
	certificate := flag.String("crt", "", "")
	key := flag.String("key", "", "")
	flag.Parse()
	if len(ports) == 0 {
		ports = list{"8080"}
	}
	for _, port := range ports {
		server := &http.Server{Addr: ":" + port, Handler: h2c.NewHandler(describe(port), &http2.Server{})}
		if strings.Contains(","+secure.String()+",", ","+port+",") {
			go func() { fmt.Println(server.ListenAndServeTLS(*certificate, *key)) }()
		} else {
			go func() { fmt.Println(server.ListenAndServe()) }()
		}
	}
	if *rpc != "" {
		server := grpc.NewServer()
		pb.RegisterGrpcEchoServer(server, echo{})
		go func() { fmt.Println(server.Serve(listen(*rpc))) }()
	}
	if *raw != "" {
		go mirror(listen(*raw))
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	<-ended
}

func listen(port string) net.Listener {
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		panic(err)
	}
	return listener
}

func mirror(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			io.Copy(connection, connection)
			connection.Close()
		}()
	}
}

func describe(port string) http.Handler {
	name, _ := os.Hostname()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "ServicePort=%s\nHost=%s\nURL=%s\nMethod=%s\nProto=%s\nIP=%s\n",
			port, r.Host, r.URL.RequestURI(), r.Method, r.Proto, r.RemoteAddr)
		printHeader(w, "RequestHeader", r.Header)
		fmt.Fprintf(w, "Hostname=%s\n", name)
	})
}

func printHeader(w io.Writer, prefix string, header http.Header) {
	for name, values := range header {
		for _, value := range values {
			fmt.Fprintf(w, "%s=%s:%s\n", prefix, name, value)
		}
	}
}

type echo struct {
	pb.UnimplementedGrpcEchoServer
}

func (echo) Echo(ctx context.Context, _ *pb.EchoRequest) (*pb.EchoResponse, error) {
	name, _ := os.Hostname()
	seen := &pb.Assertions{Context: &pb.Context{Pod: name}}
	given, _ := metadata.FromIncomingContext(ctx)
	for key, values := range given {
		for _, value := range values {
			seen.Headers = append(seen.Headers, &pb.Header{Key: key, Value: value})
		}
	}
	return &pb.EchoResponse{Assertions: seen}, nil
}

// send returns the exit code: 1 where a request got no answer.
func send(args []string) int {
	url, method, count, header := "", http.MethodGet, 1, http.Header{}
	for i := 0; i < len(args); i++ {
		name, value, _ := strings.Cut(args[i], "=")
		switch {
		case args[i] == "-H" && i+1 < len(args):
			i++
			key, text, _ := strings.Cut(args[i], ":")
			header.Add(key, text)
		case name == "--method":
			method = value
		case name == "--count":
			fmt.Sscan(value, &count)
		default:
			url = args[i]
		}
	}
	ask := request(url, method, header)
	code := 0
	for n := range count {
		if err := ask(n); err != nil {
			fmt.Printf("[%d error] %v\n", n, err)
			code = 1
		}
		fmt.Println()
	}
	return code
}

func request(url, method string, header http.Header) func(int) error {
	if target, ok := strings.CutPrefix(url, "grpc://"); ok {
		return call(strings.TrimSuffix(target, "/"))
	}
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
	host := header.Get("Host")
	header.Del("Host")
	return func(n int) error {
		r, err := http.NewRequest(method, url, nil)
		if err != nil {
			return err
		}
		r.Header = header.Clone()
		r.Host = host
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		fmt.Printf("[%d] Url=%s\n[%d] StatusCode=%d\n", n, url, n, answer.StatusCode)
		printHeader(os.Stdout, fmt.Sprintf("[%d] ResponseHeader", n), answer.Header)
		for line := range strings.Lines(string(body)) {
			if text := strings.TrimSpace(line); text != "" {
				fmt.Printf("[%d body] %s\n", n, text)
			}
		}
		return err
	}
}

func call(target string) func(int) error {
	way, err := grpc.NewClient("passthrough:///"+target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	return func(n int) error {
		answer, err := pb.NewGrpcEchoClient(way).Echo(context.Background(), &pb.EchoRequest{})
		if err != nil {
			return err
		}
		fmt.Printf("[%d] StatusCode=200\n[%d body] Hostname=%s\n", n, n, answer.Assertions.Context.Pod)
		return nil
	}
}
