package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
)

// clientOptions say what one client does.
type clientOptions struct {
	transport, address, token, clientID, channel, auto string
	publish, expect                                    int
	method                                             string
}

type attribute struct {
	CeString string `json:"ceString"`
}

// event is a CloudEvent as protobuf JSON spells it.
type event struct {
	ID          string               `json:"id"`
	Source      string               `json:"source"`
	SpecVersion string               `json:"specVersion"`
	Type        string               `json:"type"`
	Attributes  map[string]attribute `json:"attributes"`
	BinaryData  string               `json:"binaryData"`
}

type frame struct {
	ID    string `json:"id"`
	Error *struct {
		Code    string `json:"code"`
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
	Connected *struct {
		SessionID     string `json:"session_id"`
		Subscriptions []struct {
			Channel string `json:"channel"`
		} `json:"subscriptions"`
	} `json:"connected"`
	SubscribeAck   *json.RawMessage `json:"subscribe_ack"`
	UnsubscribeAck *json.RawMessage `json:"unsubscribe_ack"`
	PublishAck     *json.RawMessage `json:"publish_ack"`
	RPCReply       *event           `json:"rpc_reply"`
	Pong           *json.RawMessage `json:"pong"`
	Publication    *struct {
		Messages []struct {
			ID      string `json:"id"`
			Channel string `json:"channel"`
			Offset  string `json:"offset"`
			Payload *event `json:"payload"`
		} `json:"messages"`
	} `json:"publication"`
}

type received struct {
	Channel     string `json:"channel"`
	Source      string `json:"source"`
	Offset      string `json:"offset"`
	Type        string `json:"type"`
	ContentType string `json:"content_type"`
	MlChannel   string `json:"mlchannel"`
	Data        string `json:"data"`
}

type client struct {
	schema    *schema
	transport transport
	count     atomic.Int64
	mutex     sync.Mutex
	waiting   map[string]chan frame
	received  []received
	arrived   chan struct{}
	errors    []string
	end       chan error
}

// nextID has the form of the original: nanoseconds and a count.
func (c *client) nextID() string {
	return fmt.Sprintf("%d-%d", time.Now().UnixNano(), c.count.Add(1))
}

func (c *client) send(ctx context.Context, id, envelope string) error {
	message, err := parse(c.schema.inbound, fmt.Sprintf(`{"id":%q,%s}`, id, envelope))
	if err != nil {
		return err
	}
	return c.transport.send(ctx, message)
}

// ask sends a frame and waits for the one that has its id; an error settles nothing, as in the original.
func (c *client) ask(ctx context.Context, envelope string) (frame, error) {
	id := c.nextID()
	answer := make(chan frame, 1)
	c.mutex.Lock()
	c.waiting[id] = answer
	c.mutex.Unlock()
	if err := c.send(ctx, id, envelope); err != nil {
		return frame{}, err
	}
	select {
	case f := <-answer:
		return f, nil
	case <-ctx.Done():
		return frame{}, ctx.Err()
	}
}

func (c *client) listen(ctx context.Context) {
	for {
		message, err := c.transport.receive(ctx)
		if err != nil {
			c.end <- err
			return
		}
		bytes, err := protojson.Marshal(message)
		if err != nil {
			c.end <- err
			return
		}
		var f frame
		if err := json.Unmarshal(bytes, &f); err != nil {
			c.end <- err
			return
		}
		c.take(f)
	}
}

func (c *client) take(f frame) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if f.Error != nil {
		c.errors = append(c.errors, fmt.Sprintf("%s/%s: %s", f.Error.Code, f.Error.Type, f.Error.Message))
		return
	}
	if f.Publication != nil {
		for _, m := range f.Publication.Messages {
			// The original dereferences a missing payload and is gone.
			data, _ := base64.StdEncoding.DecodeString(m.Payload.BinaryData)
			c.received = append(c.received, received{
				Channel:     m.Channel,
				Source:      m.Payload.Source,
				Offset:      m.Offset,
				Type:        m.Payload.Type,
				ContentType: m.Payload.Attributes["datacontenttype"].CeString,
				MlChannel:   m.Payload.Attributes["mlchannel"].CeString,
				Data:        string(data),
			})
			c.arrived <- struct{}{}
		}
		return
	}
	if answer, ok := c.waiting[f.ID]; ok {
		delete(c.waiting, f.ID)
		answer <- f
	}
}

func jsonEvent(id, source, kind, contentType, data string) string {
	return fmt.Sprintf(
		`{"id":%q,"source":%q,"specVersion":"1.0","type":%q,`+
			`"attributes":{"datacontenttype":{"ceString":%q}},"binaryData":%q}`,
		id, source, kind, contentType, base64.StdEncoding.EncodeToString([]byte(data)),
	)
}

// runClient connects, says "ready", and goes on when a line comes on standard input: it publishes, waits
// for what it expects, calls, and writes what it saw. At the next line it ends.
func runClient(s *schema, o clientOptions) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	t, err := dial(ctx, o.transport, o.address, s)
	if err != nil {
		return err
	}
	c := &client{
		schema: s, transport: t,
		waiting: map[string]chan frame{}, arrived: make(chan struct{}, 100_000), end: make(chan error, 1),
	}
	go c.listen(ctx)

	auto := "[]"
	if o.auto != "" {
		auto = fmt.Sprintf(`[{"channel":%q}]`, o.auto)
	}
	connectID := c.nextID()
	answer := make(chan frame, 1)
	c.mutex.Lock()
	c.waiting[connectID] = answer
	c.mutex.Unlock()
	err = c.send(ctx, connectID, fmt.Sprintf(
		`"connect":{"client_id":%q,"client_type":"sdk","token":%q,"version":"1.0.0","subscriptions":%s}`,
		o.clientID, o.token, auto,
	))
	if err != nil {
		return err
	}
	input := bufio.NewScanner(os.Stdin)
	var connected frame
	select {
	case connected = <-answer:
	case err := <-c.end:
		return report(c, map[string]any{"refused": ended(err)})
	}
	if connected.Connected == nil {
		return errors.New("the first answer is not connected")
	}
	if o.channel != "" {
		if _, err := c.ask(ctx, fmt.Sprintf(
			`"subscribe":{"subscriptions":[{"channel":%q,"ephemeral":false}]}`, o.channel,
		)); err != nil {
			return err
		}
	}
	emit(map[string]any{"ready": true, "session_id": connected.Connected.SessionID, "subprotocol": t.subprotocol()})
	input.Scan()

	for i := range o.publish {
		data := fmt.Sprintf(`{"from":%q,"n":%d}`, o.transport, i)
		if _, err := c.ask(ctx, fmt.Sprintf(
			`"channel":%q,"publish":%s`,
			o.channel, jsonEvent(c.nextID(), "sdk", "reading", "application/json", data),
		)); err != nil {
			return err
		}
	}
	for range o.expect {
		select {
		case <-c.arrived:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	result := map[string]any{"subscriptions": connected.Connected.Subscriptions}
	if o.method != "" {
		call, err := c.ask(ctx, fmt.Sprintf(
			`"channel":"rpc","method":%q,"rpc_request":%s`,
			o.method, jsonEvent("call", "sdk", o.method, "text/plain", "question"),
		))
		if err != nil {
			return err
		}
		if call.RPCReply == nil {
			return errors.New("the answer to the call is no rpc_reply")
		}
		data, _ := base64.StdEncoding.DecodeString(call.RPCReply.BinaryData)
		result["rpc"] = map[string]any{
			"data": string(data), "type": call.RPCReply.Type, "source": call.RPCReply.Source,
			"mlreply": call.RPCReply.Attributes["mlreply"].CeString != "",
		}
	}
	pong, err := c.ask(ctx, `"ping":{}`)
	if err != nil {
		return err
	}
	result["pong"] = pong.Pong != nil
	if err := report(c, result); err != nil {
		return err
	}
	lines := make(chan bool, 1)
	go func() { lines <- input.Scan() }()
	select {
	case <-lines:
		if o.channel != "" {
			if _, err := c.ask(ctx, fmt.Sprintf(
				`"unsubscribe":{"subscriptions":[{"channel":%q}]}`, o.channel,
			)); err != nil {
				return err
			}
		}
		if err := t.end(); err != nil {
			return err
		}
		if o.transport == "grpc" {
			return report(c, map[string]any{"end": ended(<-c.end)})
		}
		return report(c, map[string]any{"end": "closed"})
	case err := <-c.end:
		return report(c, map[string]any{"end": ended(err)})
	}
}

func ended(err error) string {
	if errors.Is(err, io.EOF) && err.Error() == "EOF" {
		return "EOF"
	}
	return err.Error()
}

func report(c *client, result map[string]any) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	result["received"] = append([]received{}, c.received...)
	result["errors"] = append([]string{}, c.errors...)
	return emit(result)
}

func emit(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}
