import { pipeline } from 'node:stream/promises';
import type { BlobStore } from '@esl/kit/blob-store';
import {
  listFilesQuerySchema,
  type UploadDto,
  uploadFormSchema,
  uploadSchema,
  userFilesSchema,
} from '@esl-pipeline/contracts';
import type { keepUpload } from '../../app/keep-upload.ts';
import type { UploadStore } from '../../uploads/upload.ts';
import { readFile } from '../multipart-file.ts';
import { notFound, refused } from '../problem.ts';
import { parseQuery } from '../request-query.ts';
import type { Call, Handler, Route } from '../route.ts';

const DEFAULT_LIMIT = 100;
const CSP = "sandbox; default-src 'none'; frame-ancestors 'none'";

/** Lessons that users send, and get back. */
export const uploadRoutes = ({
  keep,
  uploads,
  blobs,
  maxBytes,
  publicUrl,
}: {
  readonly keep: ReturnType<typeof keepUpload>;
  readonly uploads: UploadStore;
  readonly blobs: Pick<BlobStore, 'head' | 'read' | 'delete' | 'providerOf'>;
  readonly maxBytes: number;
  readonly publicUrl: string;
}): Route[] => {
  const post: Handler = async ({ principal, request, signal }) => {
    const file = await readFile(request, maxBytes);
    const outcome = await keep(principal.ownerId, file, signal);
    if (!outcome.ok) throw refused(outcome.refusal);
    const { upload, warnings } = outcome.value;
    const body: UploadDto = {
      id: upload.id,
      md: upload.md,
      url: `${publicUrl}/user/files/${upload.id}`,
      originalFilename: upload.originalName,
      sanitizedFilename: upload.label,
      fileSize: upload.bytes,
      mimeType: upload.type,
      storageProvider: blobs.providerOf(upload.blobKey),
      warnings: [...warnings],
    };
    return { status: 201, body };
  };

  const list: Handler = async ({ principal, request }) => {
    const { limit = DEFAULT_LIMIT, cursor = null } = parseQuery(listFilesQuerySchema, request.query);
    const { uploads: page, total } = await uploads.list(principal.ownerId, { after: cursor, limit });
    const files = page.map(({ id, label, originalName, bytes, type, uploadedAt, md }) => ({
      id,
      filename: label,
      originalFilename: originalName,
      fileSize: bytes,
      mimeType: type,
      uploadedAt: uploadedAt.toISOString(),
      md,
    }));
    return {
      status: 200,
      body: { files, total, nextCursor: page.length === limit ? page.at(-1)?.id : null },
    };
  };

  const fileId = ({ request }: Call) => String(request.params.fileId);

  const get: Handler = async (call) => {
    const { principal, request, response, signal } = call;
    const upload = await uploads.byId(principal.ownerId, fileId(call));
    const blob = upload && (await blobs.head(upload.blobKey, signal));
    if (!upload || !blob) throw notFound();
    response.attachment(upload.label);
    response.writeHead(200, {
      'content-type': `${upload.type}; charset=utf-8`,
      'content-length': blob.bytes,
      'content-security-policy': CSP,
      'cache-control': 'private, no-store',
    });
    if (request.method === 'HEAD') response.end();
    else await pipeline(blobs.read(upload.blobKey, { start: 0, end: blob.bytes - 1 }, signal), response);
    return null;
  };

  const remove: Handler = async (call) => {
    const upload = await uploads.remove(call.principal.ownerId, fileId(call));
    if (!upload) throw notFound();
    await blobs.delete(upload.blobKey, AbortSignal.timeout(10_000));
    return { status: 204, body: null };
  };

  const common = { reach: 'extended', tag: 'Files' } as const;
  return [
    {
      ...common,
      method: 'post',
      access: 'user',
      path: '/uploads',
      name: 'uploadLesson',
      summary: 'Send a lesson',
      body: { schema: uploadFormSchema, required: true, contentType: 'multipart/form-data' },
      counts: 'upload',
      answers: { 201: { description: 'It is kept.', schema: uploadSchema } },
      errors: [
        'no_file',
        'file_validation_failed',
        'security_validation_failed',
        'file_too_large',
        'quota_exceeded',
      ],
      handle: post,
    },
    {
      ...common,
      method: 'get',
      access: 'viewer',
      path: '/user/files',
      name: 'listFiles',
      summary: 'Lessons you have sent',
      query: listFilesQuerySchema,
      answers: { 200: { description: 'The newest first.', schema: userFilesSchema } },
      errors: ['invalid_query'],
      handle: list,
    },
    {
      ...common,
      method: 'get',
      access: 'viewer',
      path: '/user/files/:fileId',
      name: 'downloadFile',
      summary: 'Get a lesson back',
      answers: { 200: { description: 'The text, as an attachment.', contentType: 'text/markdown' } },
      errors: ['not_found'],
      handle: get,
    },
    {
      ...common,
      method: 'delete',
      access: 'user',
      path: '/user/files/:fileId',
      name: 'deleteFile',
      summary: 'Delete a lesson',
      answers: { 204: { description: 'It is gone. Jobs that have read it keep what they made.' } },
      errors: ['not_found'],
      handle: remove,
    },
  ];
};
