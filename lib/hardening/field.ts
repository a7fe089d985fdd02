/** A value in a manifest, and where it stands. Nothing here trusts a manifest to be what its schema says. */
export class Field {
  /** @param path for example `spec.containers[0].image`; empty for the whole object */
  public constructor(
    public readonly path: string,
    public readonly value: unknown,
  ) {}

  /** Whether something is said: `null` is nothing, as it is to the API server. */
  public get isSet(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  public get text(): string | undefined {
    return typeof this.value === 'string' ? this.value : undefined;
  }

  /** What stands under these names; not set where one of them is missing. */
  public at(...names: readonly string[]): Field {
    return names.reduce<Field>((field, name) => field.member(name), this);
  }

  /** Members of a list; none where there is no list. */
  public get items(): readonly Field[] {
    if (!Array.isArray(this.value)) return [];
    return this.value.map((each, n) => new Field(`${this.path}[${n}]`, each));
  }

  /** Members of an object that say something, by their names. */
  public get members(): Readonly<Record<string, Field>> {
    if (!isObject(this.value)) return {};
    const fields = Object.keys(this.value).map((name) => [name, this.member(name)] as const);
    return Object.fromEntries(fields.filter(([, field]) => field.isSet));
  }

  /** Strings of a list. */
  public get texts(): readonly string[] {
    return this.items.flatMap(({ text }) => text ?? []);
  }

  private member(name: string): Field {
    const step = /^\w+$/.test(name) ? `${this.path === '' ? '' : '.'}${name}` : `[${JSON.stringify(name)}]`;
    return new Field(this.path + step, isObject(this.value) ? this.value[name] : undefined);
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
