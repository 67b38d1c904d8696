/** Networks that are too large for the page are run by the server that serves it; only the newest request of each kind counts. */

export interface Socket {
  readyState: number;
  binaryType: string;
  send(text: string): void;
  addEventListener(type: string, listener: (event: any) => void): void;
}

type Settle = (values: Float64Array | null) => void;
const OPEN = 1;

export class Remote {
  private socket: Socket | null = null;
  private count = 0;
  /** By kind of request the one that is waited for. */
  private readonly waiting = new Map<string, { id: number; message: string; settle: Settle }>();

  constructor(private readonly connect: () => Socket) {}

  /** What a network of the model at `model` gives; null where a newer request has come in, or the server is gone. */
  ask(model: number, network: "decoder" | "encoder", x: ArrayLike<number>, seen: ArrayLike<number> | null): Promise<Float64Array | null> {
    const id = ++this.count;
    const kind = `${model} ${network}`;
    const message = JSON.stringify({ id, model, network, x: Array.from(x), seen: seen && Array.from(seen) });
    this.waiting.get(kind)?.settle(null);
    return new Promise((settle) => {
      this.waiting.set(kind, { id, message, settle });
      this.opened().then((socket) => socket.send(message), () => this.lost());
    });
  }

  private opened(): Promise<Socket> {
    if (this.socket?.readyState === OPEN) return Promise.resolve(this.socket);
    return new Promise((resolve, reject) => {
      const socket = this.socket ?? this.connect();
      if (!this.socket) {
        this.socket = socket;
        socket.binaryType = "arraybuffer";
        socket.addEventListener("message", ({ data }) => this.answered(data));
        socket.addEventListener("close", () => this.lost());
      }
      socket.addEventListener("open", () => resolve(socket));
      socket.addEventListener("close", () => reject(new Error("closed")));
    });
  }

  /** An answer is the request's number and the values, all float64; without values the server could not. */
  private answered(data: ArrayBuffer): void {
    const [id, ...values] = new Float64Array(data);
    for (const [kind, request] of this.waiting)
      if (request.id === id) {
        this.waiting.delete(kind);
        request.settle(values.length ? Float64Array.from(values) : null);
      }
  }

  private lost(): void {
    this.socket = null;
    for (const { settle } of this.waiting.values()) settle(null);
    this.waiting.clear();
  }
}
