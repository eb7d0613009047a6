// The two API documents, and their schemas as validators.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { parse } from "yaml";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** A document with every $ref of it looked up and its schemas compiled on demand. */
export class ApiDocument {
  constructor(path) {
    this.content = parse(readFileSync(resolve(root, path), "utf8"));
    this.ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats(this.ajv, ["date-time", "uuid"]);
    this.ajv.addFormat("int64", { type: "number", validate: Number.isSafeInteger });
    this.ajv.addSchema(this.content, "document");
    this.validators = new Map();
  }

  /** What a reference, or a thing that is none, stands for. */
  resolve(thing) {
    if (!thing?.$ref) return thing;
    const found = thing.$ref
      .replace(/^#\//, "")
      .split("/")
      .reduce((at, step) => at?.[step.replaceAll("~1", "/").replaceAll("~0", "~")], this.content);
    if (found === undefined) throw new Error(`${thing.$ref} leads nowhere`);
    return this.resolve(found);
  }

  /** Nothing when the value fits the schema, else what is wrong. */
  faults(schema, value) {
    const key = JSON.stringify(schema);
    if (!this.validators.has(key)) {
      const local = JSON.parse(key.replaceAll('"$ref":"#/', '"$ref":"document#/'));
      this.validators.set(key, this.ajv.compile(local));
    }
    const validate = this.validators.get(key);
    return validate(value) ? undefined : this.ajv.errorsText(validate.errors);
  }

  /** Every $ref in the document. */
  references(thing = this.content) {
    if (typeof thing !== "object" || thing === null) return [];
    return Object.entries(thing).flatMap(([name, value]) =>
      name === "$ref" ? [value] : this.references(value),
    );
  }
}

const METHODS = ["get", "put", "post", "delete"];

export class OpenApi extends ApiDocument {
  constructor() {
    super("rest/openapi.yaml");
  }

  /** Every operation, as {method, path, operation}. */
  get operations() {
    return Object.entries(this.content.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]).map((method) => ({
        method: method.toUpperCase(),
        path,
        operation: item[method],
        parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map((parameter) =>
          this.resolve(parameter),
        ),
      })),
    );
  }

  /** The operation that a request's path belongs to. */
  find(method, url) {
    const asked = url.split("?")[0].split("/");
    return this.operations.find(({ method: has, path }) => {
      const segments = path.split("/");
      return (
        has === method &&
        segments.length === asked.length &&
        segments.every((segment, i) => segment.startsWith("{") || segment === asked[i])
      );
    });
  }

  /** Nothing when the document allows this answer, else what is wrong with it. */
  answerFaults(method, url, { status, headers, body }) {
    const found = this.find(method, url);
    if (!found) return status === 404 || status === 405 ? undefined : `${method} ${url} isn't described`;
    const response = this.resolve(found.operation.responses[status]);
    if (!response) return `${method} ${url} answered ${status}, which isn't described`;
    for (const [name, header] of Object.entries(response.headers ?? {})) {
      const { schema } = this.resolve(header);
      const text = headers.get(name);
      const fault = this.faults(schema, schema.type === "integer" ? Number(text) : text);
      if (fault) return `${method} ${url} ${status}: header ${name} ${text}: ${fault}`;
    }
    const schema = response.content?.["application/json"].schema;
    if (!schema) return body === "" ? undefined : `${method} ${url} ${status}: a body isn't described`;
    const fault = this.faults(schema, body);
    return fault && `${method} ${url} ${status}: ${fault} in ${JSON.stringify(body).slice(0, 300)}`;
  }
}
